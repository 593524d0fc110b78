package dev.prefix4j.train;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** As {@link PeftParityTest}, on models that {@code scripts/parity} makes. */
@Tag("parity")
class PeftLargeParityTest {
    @TempDir
    Path temporary;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "odd", "medium", "gpt2-small",
                "llama-grouped", "llama-own-width", "llama-scaled",
                "mistral-grouped", "mistral-own-width", "mistral-scaled",
                "qwen2-grouped", "qwen2-own-width", "qwen2-scaled",
                "qwen3-grouped", "qwen3-own-width", "qwen3-scaled"
            })
    void computesWhatTransformersAndPeftCompute(String name) throws IOException {
        try (PeftParity parity = new PeftParity(Path.of(System.getProperty("parity.folder"), name))) {
            parity.logitsAgree();
            parity.adapterHoldsTheVectorsThatPeftUsed();
            parity.lossAndPrefixGradientAgree();
            parity.decodingAgrees();
            parity.adaptersOfPeftAreRead();
            parity.mergedAdapterIsAModel(temporary.resolve("merged"));
            parity.tenTrainingLossesAgree(temporary.resolve("run"));
            parity.eightBitGradientPointsTheSameWay();
            parity.peftLoadsWhatWeSave(temporary.resolve("saved"), System.getProperty("parity.python"));
        }
    }
}
