package dev.prefix4j.train;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Another device against what Transformers and PEFT compute on the CPU, for {@code scripts/test-gpu}: logits, loss and gradient of the
 * prefix, decoding in sessions, and the losses of ten steps of training. The system property {@code test.device} names the device.
 */
@Tag("gpu")
class DeviceParityTest {
    private static final Path FOLDERS = Path.of("tests/resources/parity");

    @TempDir
    Path temporary;

    @ParameterizedTest
    @ValueSource(strings = {"tiny", "odd", "llama", "qwen2", "qwen3"})
    void theDeviceComputesWhatTransformersAndPeftCompute(String name) throws IOException {
        try (PeftParity parity = new PeftParity(FOLDERS.resolve(name), System.getProperty("test.device", "cuda"))) {
            parity.logitsAgree();
            parity.lossAndPrefixGradientAgree();
            parity.eightBitGradientPointsTheSameWay();
            parity.decodingAgrees();
            parity.tenTrainingLossesAgree(temporary.resolve("run"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void adaptersOfPeftAreReadOnTheDevice(String name) throws IOException {
        try (PeftParity parity = new PeftParity(FOLDERS.resolve(name), System.getProperty("test.device", "cuda"))) {
            parity.adaptersOfPeftAreRead();
        }
    }
}
