package dev.prefix4j.torch;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** Tests whose tensors are released after each of them. */
public abstract class ScopedTest {
    private TensorScope scope;

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    @BeforeEach
    final void openScope() {
        scope = new TensorScope();
    }

    @AfterEach
    final void closeScope() {
        scope.close();
    }
}
