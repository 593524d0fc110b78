package dev.prefix4j.train;

import java.util.Optional;

/**
 * A text that was written on the way, to look at.
 *
 * @param source what it was written for
 * @param output what was written
 * @param reference what a person wrote
 */
public record Sample(String source, String output, Optional<String> reference) {}
