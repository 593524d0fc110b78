package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.torch.Draws;
import org.bytedeco.pytorch.Device;

/**
 * How many vectors are learned, and how they are parametrized (section 4.3).
 *
 * @param length virtual tokens
 * @param reparametrization through an MLP, or each value directly
 * @param hidden width of the MLP, where there is one
 */
public record Vectors(int length, Reparametrization reparametrization, int hidden) {
    public Vectors {
        InputException.requireAtLeast("prefix.length", length, 1);
        if (reparametrization == Reparametrization.MLP) {
            InputException.requireAtLeast("prefix.hidden", hidden, 1);
        }
    }

    /**
     * @param width of the matrix that an MLP starts from
     * @param rowWidth values of a vector
     */
    PrefixEncoder encoder(int width, int rowWidth, Device device, Draws draws) {
        return PrefixEncoder.create(reparametrization, length, width, rowWidth, hidden, device, draws);
    }

    /** Number of trained parameters: the matrix, and the two layers of the MLP with their biases. */
    long trainedNumbers(long width, long rowWidth) {
        return switch (reparametrization) {
            case MLP -> length * width + hidden * (width + 1) + rowWidth * (hidden + 1);
            case DIRECT -> length * rowWidth;
        };
    }
}
