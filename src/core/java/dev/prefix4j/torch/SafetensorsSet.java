package dev.prefix4j.torch;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;

/**
 * The tensors of a folder: one safetensors file, or several with an index ({@code model.safetensors.index.json}) that
 * says which file has which tensor, as Transformers writes large models.
 */
public final class SafetensorsSet implements AutoCloseable {
    private static final long MAX_INDEX_BYTES = 100_000_000;

    private final Map<String, Safetensors> files = new TreeMap<>();
    private final Map<String, Safetensors> byTensor = new LinkedHashMap<>();

    private final Path folder;
    private final Path main;

    /** @param main the only file, or the index */
    private SafetensorsSet(Path folder, Path main) {
        this.folder = folder;
        this.main = main;
    }

    /**
     * Opens {@code baseName.safetensors}, or else the files of {@code baseName.safetensors.index.json}.
     *
     * @throws InputException if neither exists or one is malformed, or if the index names a file outside the folder or
     *     without the tensor, or not every tensor of a file
     */
    public static SafetensorsSet open(Path folder, String baseName) {
        Path single = folder.resolve(baseName + ".safetensors");
        Path index = folder.resolve(baseName + ".safetensors.index.json");
        boolean whole = Files.exists(single) || !Files.exists(index);
        SafetensorsSet set = new SafetensorsSet(folder, whole ? single : index);
        try {
            if (whole) {
                Safetensors file = Safetensors.open(single);
                set.files.put(single.getFileName().toString(), file);
                file.names().forEach(name -> set.byTensor.put(name, file));
            } else {
                set.openShards(folder, index);
            }
            return set;
        } catch (RuntimeException e) {
            set.close();
            throw e;
        }
    }

    private void openShards(Path folder, Path index) {
        JsonNode weightMap = JsonFile.readObject(index, "an index of shards", MAX_INDEX_BYTES)
                .path("weight_map");
        if (!weightMap.isObject() || weightMap.isEmpty()) {
            throw new InputException(
                    index + ": key 'weight_map': expected an object that names a file for each tensor");
        }
        for (var entry : weightMap.properties()) {
            String tensor = entry.getKey();
            String name = entry.getValue().asText("");
            // A plain name: it resolves to a file in this folder.
            if (!name.matches("[A-Za-z0-9._-]{1,255}") || !name.endsWith(".safetensors")) {
                throw new InputException("%s: tensor '%s': expected the plain name of a safetensors file, found %s"
                        .formatted(index, tensor, entry.getValue()));
            }
            if (!files.containsKey(name) && !Files.exists(folder.resolve(name))) {
                throw new InputException(
                        "%s: tensor '%s': expected it in %s, found no such file".formatted(index, tensor, name));
            }
            Safetensors file = files.computeIfAbsent(name, n -> Safetensors.open(folder.resolve(n)));
            if (!file.names().contains(tensor)) {
                throw new InputException(
                        "%s: tensor '%s': expected it in %s, found none there".formatted(index, tensor, name));
            }
            byTensor.put(tensor, file);
        }
        for (var file : files.entrySet()) {
            for (String tensor : file.getValue().names()) {
                if (byTensor.get(tensor) != file.getValue()) {
                    throw new InputException("%s: expected every tensor of %s to be named, found '%s' unnamed"
                            .formatted(index, file.getKey(), tensor));
                }
            }
        }
    }

    /** Names of all tensors. */
    public Set<String> names() {
        return byTensor.keySet();
    }

    /** @throws IllegalArgumentException if there is no such tensor */
    public Safetensors.TensorInfo info(String name) {
        return file(name).info(name);
    }

    /** The file with a tensor; if there is no such tensor, the file or the index where it should be. */
    public Path path(String name) {
        Safetensors file = byTensor.get(name);
        return files.entrySet().stream()
                .filter(entry -> entry.getValue() == file)
                .map(entry -> folder.resolve(entry.getKey()))
                .findFirst()
                .orElse(main);
    }

    /** As {@link Safetensors#tensor}. */
    public Tensor tensor(String name) {
        return file(name).tensor(name);
    }

    private Safetensors file(String tensor) {
        Safetensors file = byTensor.get(tensor);
        if (file == null) {
            throw new IllegalArgumentException("no tensor '" + tensor + "'");
        }
        return file;
    }

    @Override
    public void close() {
        files.values().forEach(Safetensors::close);
    }
}
