package dev.prefix4j.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What {@code tokenizer.json} has put around a text of its own accord: its {@code post_processor}. Of a {@code TemplateProcessing},
 * alone or in a {@code Sequence}, the special tokens before a single text count. Those behind a text are left out, for what ends a
 * sequence is the layout's to say.
 */
final class PostProcessor {
    private static final String KEY = "post_processor";
    private static final int MAX_PARTS = 64;
    private static final int MAX_ID = 1 << 24;
    private static final Logger LOG = LoggerFactory.getLogger(PostProcessor.class);

    private final Path file;
    private final List<Integer> before = new ArrayList<>();
    private boolean leftOut;

    private PostProcessor(Path file) {
        this.file = file;
    }

    /**
     * Ids of the tokens that are put before a text.
     *
     * @param file for messages
     * @param json the value of {@code post_processor}; may be missing or null
     * @throws InputException naming the key, if a token has no id
     */
    static int[] before(Path file, JsonNode json) {
        PostProcessor processor = new PostProcessor(file);
        processor.read(json);
        if (processor.leftOut) {
            LOG.warn("{}: the tokens that its {} puts behind a text are left out", file, KEY);
        }
        return processor.before.stream().mapToInt(Integer::intValue).toArray();
    }

    private void read(JsonNode json) {
        switch (json.path("type").asText()) {
            case "Sequence" -> {
                if (json.path("processors").size() > MAX_PARTS) {
                    throw wrong(
                            ".processors",
                            "at most " + MAX_PARTS,
                            json.path("processors").size() + " of them");
                }
                for (JsonNode part : json.path("processors")) {
                    if (part.path("type").asText().equals("Sequence")) {
                        throw wrong(".processors", "none that is a Sequence", "one");
                    }
                    read(part);
                }
            }
            case "TemplateProcessing" -> template(json.path("single"), json.path("special_tokens"));
            case "BertProcessing", "RobertaProcessing" -> {
                before.add(id(json.path("cls").path(1), json.path("cls").path(0).asText()));
                leftOut = true;
            }
            default -> {} // adds nothing
        }
    }

    private void template(JsonNode single, JsonNode tokens) {
        if (single.size() > MAX_PARTS) {
            throw wrong(".single", "at most " + MAX_PARTS + " parts", single.size() + " of them");
        }
        boolean behind = false;
        for (JsonNode part : single) {
            JsonNode special = part.path("SpecialToken");
            if (part.has("Sequence")) {
                behind = true;
            } else if (!behind) {
                String name = special.path("id").asText();
                JsonNode ids = tokens.path(name).path("ids");
                if (ids.isEmpty() || ids.size() > MAX_PARTS) {
                    throw wrong(".special_tokens", "the ids of " + Excerpt.of(name), ids.toString());
                }
                for (JsonNode id : ids) {
                    before.add(id(id, name));
                }
            } else {
                leftOut = true;
            }
        }
    }

    private int id(JsonNode id, String token) {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() > MAX_ID) {
            throw wrong("", "an id between 0 and %d of %s".formatted(MAX_ID, Excerpt.of(token)), id.toString());
        }
        return id.intValue();
    }

    private InputException wrong(String within, String expected, String found) {
        return new InputException("%s: key '%s%s': expected %s, found %s"
                .formatted(file, KEY, within, expected, Excerpt.of(found.isEmpty() ? "nothing" : found)));
    }
}
