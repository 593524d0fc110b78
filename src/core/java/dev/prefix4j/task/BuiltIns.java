package dev.prefix4j.task;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/**
 * What is bundled with prefix4j: the base model {@code builtin:tiny} and the sample {@code builtin:e2e/train}, {@code
 * builtin:e2e/valid} and {@code builtin:e2e/test} of the E2E data.
 */
public final class BuiltIns {
    private static final String ROOT = "/dev/prefix4j/builtin/";
    private static final List<String> MODEL_FILES =
            List.of("config.json", "generation_config.json", "tokenizer.json", "model.safetensors");
    private static final List<String> DATA = List.of("e2e/train", "e2e/valid", "e2e/test");

    private BuiltIns() {}

    /**
     * The folder of a model.
     *
     * @throws InputException if no model of that name is bundled
     */
    static Path model(String name) {
        if (!name.equals("tiny")) {
            throw new InputException(
                    ModelName.BUILT_IN + name + ": expected " + ModelName.BUILT_IN + "tiny, the only bundled model");
        }
        List<Path> files =
                MODEL_FILES.stream().map(file -> file("tiny/" + file)).toList();
        return folderOf(files.getLast());
    }

    /**
     * The path of a data file: a name that begins with {@code builtin:} is a bundled file, others are paths already.
     *
     * @throws InputException if no file of that name is bundled
     */
    public static Path data(Path file) {
        String name = file.toString();
        if (!name.startsWith(ModelName.BUILT_IN)) {
            return file;
        }
        String part = name.substring(ModelName.BUILT_IN.length());
        if (!DATA.contains(part)) {
            throw new InputException(name + ": expected one of " + ModelName.BUILT_IN
                    + String.join(", " + ModelName.BUILT_IN, DATA) + ", found no data of that name");
        }
        return file(part + ".csv.gz");
    }

    /** A resource as a file: itself if the classes are in a folder, otherwise a copy in the user's cache. */
    private static Path file(String name) {
        URL resource = BuiltIns.class.getResource(ROOT + name);
        if (resource == null) {
            throw new InputException(ModelName.BUILT_IN + name + ": this build of prefix4j does not have it");
        }
        try {
            URI uri = resource.toURI();
            return uri.getScheme().equals("file") ? Path.of(uri) : copy(name, resource);
        } catch (URISyntaxException | IOException e) {
            throw new InputException(ModelName.BUILT_IN + name + ": cannot be read: " + e.getMessage(), e);
        }
    }

    private static Path folderOf(Path file) {
        return Objects.requireNonNull(file.getParent(), "a file in a folder");
    }

    private static Path copy(String name, URL resource) throws IOException {
        if (!(resource.openConnection() instanceof JarURLConnection connection)) {
            throw new IOException("expected a jar, found " + resource);
        }
        // Another build may have other content, so the jar's size and date are part of the path.
        URLConnection jar = connection.getJarFileURL().openConnection();
        String build = Long.toHexString(jar.getLastModified()) + "-" + Long.toHexString(jar.getContentLengthLong());
        jar.getInputStream().close();
        Path target = cache().resolve(build).resolve(name);
        if (!Files.exists(target)) {
            AtomicFile.createFolder(folderOf(target));
            try (InputStream in = connection.getInputStream()) {
                AtomicFile.write(target, in::transferTo);
            }
        }
        return target;
    }

    private static Path cache() {
        String xdg = System.getenv("XDG_CACHE_HOME");
        Path caches = xdg == null || xdg.isBlank() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(xdg);
        return caches.resolve("prefix4j");
    }
}
