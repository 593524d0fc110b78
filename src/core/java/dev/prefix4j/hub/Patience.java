package dev.prefix4j.hub;

import java.time.Duration;

/**
 * How long to wait for a network.
 *
 * @param tries of each request
 * @param pause before the second try; it doubles with each
 * @param silence after which a connection counts as lost
 */
record Patience(int tries, Duration pause, Duration silence) {
    static final Patience USUAL = new Patience(3, Duration.ofMillis(500), Duration.ofSeconds(30));

    String seconds() {
        return silence.toMillis() / 1000.0 + " s";
    }
}
