package dev.prefix4j.train;

import java.util.Optional;

/**
 * A text that was generated during training, for a person to look at.
 *
 * @param source that it was generated from
 * @param output that was generated
 * @param reference that a person wrote
 */
public record Sample(String source, String output, Optional<String> reference) {}
