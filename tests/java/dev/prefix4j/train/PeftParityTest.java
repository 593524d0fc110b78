package dev.prefix4j.train;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PeftParityTest {
    private static final String FOLDERS = "tests/resources/parity/";

    @TempDir
    Path temporary;

    @ParameterizedTest
    @ValueSource(strings = {"tiny", "odd", "llama", "qwen2", "qwen3"})
    void computesWhatTransformersAndPeftCompute(String name) throws IOException {
        try (PeftParity parity = new PeftParity(Path.of(FOLDERS + name))) {
            parity.logitsAgree();
            parity.adapterHoldsTheVectorsThatPeftUsed();
            parity.lossAndPrefixGradientAgree();
            parity.decodingAgrees();
            parity.tenTrainingLossesAgree(temporary.resolve("run"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void adaptersOfPeftAreReadForEveryFamily(String name) throws IOException {
        try (PeftParity parity = new PeftParity(Path.of(FOLDERS + name))) {
            parity.adaptersOfPeftAreRead();
            parity.mergedAdapterIsAModel(temporary.resolve("merged"));
        }
    }
}
