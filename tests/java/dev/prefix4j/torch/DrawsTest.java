package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class DrawsTest {
    @Test
    void numbersAreThoseOfTheProcessAfterTheSameSeedWhoeverElseDraws() {
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(101);
            Tensor normal = torch.randn(7, 31);
            Tensor uniform = torch.empty(40).uniform_(-0.5, 0.5, new org.bytedeco.pytorch.GeneratorOptional());
            Draws draws = new Draws(101);
            torch.randn(3);
            assertTrue(normal.equal(draws.normal(1, 7, 31)));
            torch.randn(3);
            assertTrue(uniform.equal(draws.uniform(0.5, 40)));
        }
    }

    @Test
    void theProcessDrawsAsIfNobodyElseDid() {
        try (TensorScope _ = new TensorScope()) {
            TorchRuntime.seed(5);
            Tensor expected = torch.randn(9);
            TorchRuntime.seed(5);
            Draws draws = new Draws(6);
            draws.normal(1, 4);
            Tensor ones = draws.ones(0.75, 100, 100);
            assertTrue(expected.equal(torch.randn(9)));
            assertEquals(0.75, ones.mean().item_double(), 0.02);
        }
    }
}
