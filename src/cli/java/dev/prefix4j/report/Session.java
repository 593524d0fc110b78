package dev.prefix4j.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.JsonFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The last session of a run, in its {@code session.json}.
 *
 * @param command its command line
 * @param steps of the whole run; 0: not known
 * @param environment by topic
 */
record Session(String command, int steps, Map<String, String> environment) {
    static final Session UNKNOWN = new Session("", 0, Map.of());

    private static final String FILE = "session.json";
    private static final long MAX_BYTES = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** @return {@link #UNKNOWN} if there is no file */
    static Session read(Path run) {
        Path file = run.resolve(FILE);
        if (!Files.exists(file)) {
            return UNKNOWN;
        }
        JsonNode json = JsonFile.readObject(file, "the environment of the run", MAX_BYTES);
        Map<String, String> environment = new LinkedHashMap<>();
        json.path("environment")
                .properties()
                .forEach(fact -> environment.put(fact.getKey(), fact.getValue().asText()));
        return new Session(json.path("command").asText(), json.path("steps").asInt(), environment);
    }

    void write(Path run) {
        ObjectNode json = JSON.createObjectNode();
        json.put("command", command).put("steps", steps);
        ObjectNode facts = json.putObject("environment");
        environment.forEach(facts::put);
        AtomicFile.write(run.resolve(FILE), json.toPrettyString() + "\n");
    }
}
