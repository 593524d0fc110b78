package dev.prefix4j.model.llama;

import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.Rotary;

/**
 * Reads rotary positions in every spelling that {@code config.json} has used: {@code rope_theta} beside {@code rope_scaling} with
 * {@code type} or {@code rope_type}, and {@code rope_parameters} with the base inside.
 */
final class RotaryReader {
    private static final double THETA = 10_000;

    private RotaryReader() {}

    /**
     * @param headWidth columns of a head, all of them rotated
     * @throws dev.prefix4j.InputException if a key is invalid, or the kind of scaling is unknown
     */
    static Rotary read(ConfigFile file, int headWidth) {
        double theta = theta(file, THETA);
        whole(file);
        String key = file.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
        if (!file.has(key)) {
            return Rotary.of(headWidth, theta);
        }
        ConfigFile scaling = file.object(key);
        whole(scaling);
        Rotary plain = Rotary.of(headWidth, theta(scaling, theta));
        String kindKey = scaling.has("rope_type") ? "rope_type" : "type";
        String kind = scaling.text(kindKey, "default");
        return switch (kind) {
            case "default" -> plain;
            case "linear" -> plain.linear(above("factor", scaling, 0));
            case "llama3" -> {
                double low = above("low_freq_factor", scaling, 0);
                yield plain.llama3(
                        above("factor", scaling, 0),
                        low,
                        above("high_freq_factor", scaling, low),
                        scaling.positive("original_max_position_embeddings", original(file)));
            }
            default -> throw scaling.wrong(kindKey, "default, linear or llama3", kind);
        };
    }

    private static int original(ConfigFile file) {
        return file.positive("original_max_position_embeddings", file.positive("max_position_embeddings", 2048));
    }

    private static double theta(ConfigFile file, double absent) {
        double theta = file.number("rope_theta", absent);
        if (!(theta > 1)) {
            throw file.wrong("rope_theta", "a number above 1", theta);
        }
        return theta;
    }

    private static double above(String key, ConfigFile file, double least) {
        double value = file.number(key, Double.NaN);
        if (!(value > least)) {
            throw file.wrong(key, "a number above " + least, file.json().get(key));
        }
        return value;
    }

    private static void whole(ConfigFile file) {
        if (file.number("partial_rotary_factor", 1) != 1) {
            throw file.wrong("partial_rotary_factor", "1", file.json().get("partial_rotary_factor"));
        }
    }
}
