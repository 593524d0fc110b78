package dev.prefix4j.method;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Distinguishes an adapter's base model from others of the same shapes: geometry, tokenizer, and values of the normalizations, which no form
 * of a model quantizes. Stored in {@code prefix4j.json} next to PEFT's files; PEFT ignores it.
 *
 * @param geometry as text
 * @param tokenizer ids of a fixed text, as text
 * @param norms values at even intervals from the normalizations, each the upper 16 bits of a float32 (bfloat16)
 */
public record Fingerprint(String geometry, String tokenizer, short[] norms) {
    private static final String FILE = "prefix4j.json";
    private static final int VALUES = 1024;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Words, digits, signs and scripts that tokenizers split in different ways. */
    private static final String PROBE =
            "The harbour's 1,024 boats (2.50 each) | name : Café_X → Zürich ΑΒΓ 東京 def f(x):\n\treturn x+1";

    /** Twice the largest error with which float16 stores values near 0. */
    private static final float SMALL = 6e-8f;

    /** The fingerprint of a model as it is now. */
    public static Fingerprint of(BaseModel model, Tokenizer tokenizer) {
        ModelConfig config = model.config();
        List<float[]> vectors = new ArrayList<>();
        int total = 0;
        for (Tensor norm : norms(model)) {
            vectors.add(floats(norm));
            total += vectors.getLast().length;
        }
        float[] all = new float[total];
        int at = 0;
        for (float[] vector : vectors) {
            System.arraycopy(vector, 0, all, at, vector.length);
            at += vector.length;
        }
        short[] norms = new short[Math.min(VALUES, total)];
        for (int i = 0; i < norms.length; i++) {
            norms[i] = rounded(all[(int) ((long) i * total / norms.length)]);
        }
        return new Fingerprint(geometry(config), Arrays.toString(tokenizer.encode(PROBE)), norms);
    }

    private static String geometry(ModelConfig config) {
        ModelConfig.Attention attention = config.attention();
        boolean plain = attention.heads() == attention.keyHeads() && attention.queryColumns() == config.width();
        return "%s, %d layers, %d heads%s, width %d, %d positions, %d tokens"
                .formatted(
                        config.family().name(),
                        config.layers(),
                        config.heads(),
                        plain ? "" : " of %d (%d of keys)".formatted(config.headWidth(), config.keyHeads()),
                        config.width(),
                        config.positions(),
                        config.vocabulary());
    }

    /** Tensors of the normalizations, in the model's order. */
    private static List<Tensor> norms(BaseModel model) {
        Family.Names names = model.config().family().names();
        Set<String> modules = new HashSet<>(Set.of(names.norm()));
        for (int layer = 0; layer < model.config().layers(); layer++) {
            Family.Block block = names.block().apply(layer);
            modules.addAll(List.of(block.attentionNorm(), block.mlpNorm()));
            modules.addAll(Arrays.asList(block.queryNorm(), block.keyNorm())); // both may be empty
        }
        return model.weights().entrySet().stream()
                .filter(entry -> modules.contains(
                        entry.getKey().substring(0, entry.getKey().lastIndexOf('.'))))
                .map(Map.Entry::getValue)
                .toList();
    }

    private static float[] floats(Tensor tensor) {
        Tensor own = tensor.detach().to(torch.ScalarType.Float).cpu().contiguous();
        float[] values = new float[(int) own.numel()];
        new FloatPointer(own.data_ptr_float()).get(values);
        return values;
    }

    /** Rounds to the nearest bfloat16, ties to even. */
    static short rounded(float value) {
        int bits = Float.floatToRawIntBits(value);
        return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }

    /** Writes it to an adapter's folder. */
    public void write(Path folder) {
        byte[] bytes = new byte[2 * norms.length];
        for (int i = 0; i < norms.length; i++) {
            bytes[2 * i] = (byte) (norms[i] >>> 8);
            bytes[2 * i + 1] = (byte) norms[i];
        }
        ObjectNode node = JSON.createObjectNode();
        node.put("base_geometry", geometry)
                .put("base_tokenizer", tokenizer)
                .put("base_norms_bfloat16", HexFormat.of().formatHex(bytes));
        AtomicFile.write(folder.resolve(FILE), node.toPrettyString() + "\n");
    }

    /**
     * How the base of an adapter differs from this model, in words; empty if it does not, or if nothing is known about it.
     *
     * @param folder the adapter's
     * @param name of this model; its last part is compared if the folder has only PEFT's files
     * @throws dev.prefix4j.InputException if the adapter's files are malformed
     */
    public Optional<String> difference(Path folder, String name) {
        if (!Files.exists(folder.resolve(FILE))) {
            String base = AdapterConfig.read(folder).text("base_model_name_or_path", "");
            return base.isBlank() || last(base).equalsIgnoreCase(last(name))
                    ? Optional.empty()
                    : Optional.of("made for '%s', used with '%s'"
                            .formatted(dev.prefix4j.Excerpt.of(base), dev.prefix4j.Excerpt.of(name)));
        }
        ConfigFile file = ConfigFile.read(folder.resolve(FILE), "a description of an adapter's base");
        if (!file.text("base_geometry", "").equals(geometry)) {
            return Optional.of(
                    "its base had another geometry: " + dev.prefix4j.Excerpt.of(file.text("base_geometry", "")));
        }
        if (!file.text("base_tokenizer", "").equals(tokenizer)) {
            return Optional.of("its base had another tokenizer");
        }
        return sameNorms(file) ? Optional.empty() : Optional.of("its base had other weights of the same shapes");
    }

    /**
     * Forms of one model agree in all values, except that values that went through float16 may be rounded to a neighbour: about one in 16.
     */
    private boolean sameNorms(ConfigFile file) {
        byte[] bytes;
        try {
            bytes = HexFormat.of().parseHex(file.text("base_norms_bfloat16", ""));
        } catch (IllegalArgumentException e) {
            throw file.wrong("base_norms_bfloat16", "hexadecimal digits", "something else");
        }
        if (bytes.length != 2 * norms.length) {
            return false;
        }
        int neighbours = 0;
        for (int i = 0; i < norms.length; i++) {
            short other = (short) ((bytes[2 * i] << 8) | (bytes[2 * i + 1] & 0xff));
            if (other == norms[i] || Math.abs(value(other) - value(norms[i])) <= SMALL) {
                continue;
            }
            if (Math.abs(other - norms[i]) > 1 || ++neighbours > norms.length / 8) {
                return false;
            }
        }
        return true;
    }

    private static float value(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    private static String last(String name) {
        String[] parts = name.split("[/\\\\]+", 0);
        return parts.length == 0 ? name : parts[parts.length - 1];
    }
}
