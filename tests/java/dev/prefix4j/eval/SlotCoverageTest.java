package dev.prefix4j.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class SlotCoverageTest {
    private static final List<String> SOURCES = List.of(
            "name : Blue Spice | food : Thai | familyFriendly : yes",
            "name : The Mill | near : Café Adriatic",
            "name : Giraffe | area : riverside",
            "name : Zizzi | food : Thai");

    @Test
    void countsValuesThatAreStatedInAnyCase() {
        SlotCoverage coverage = SlotCoverage.of(
                SOURCES,
                List.of(
                        "BLUE SPICE serves Thai food.", // 2 of 2: yes is not a value
                        "A mill near the Café Adriatic.", // 1 of 2
                        "Something else entirely.", // 0 of 2
                        "Zizzi has thai dishes by the riverside.")); // 2 of 2
        assertEquals(8, coverage.slots());
        assertEquals(5.0 / 8, coverage.coverage(), 1e-12);
    }

    @Test
    void shuffledTakesTheOutputOfAnotherSource() {
        // Output 2 for source 0, 3 for 1, 0 for 2, 1 for 3.
        SlotCoverage coverage = SlotCoverage.of(SOURCES, List.of("riverside", "Thai", "Blue Spice", "nothing"));
        assertEquals(0, coverage.coverage());
        assertEquals(3.0 / 8, coverage.shuffled(), 1e-12);
    }

    @Test
    void outputsWithoutATableHaveNoSlots() {
        assertEquals(new SlotCoverage(0, 0, 0), SlotCoverage.of(List.of("no table"), List.of("a")));
        assertThrows(IllegalArgumentException.class, () -> SlotCoverage.of(SOURCES, List.of()));
    }
}
