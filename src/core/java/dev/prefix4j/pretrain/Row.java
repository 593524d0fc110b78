package dev.prefix4j.pretrain;

/**
 * A row of a batch: T tokens that the model reads and the T tokens that it must predict.
 *
 * @param ids T + 1 tokens: at position t, the model reads token t and must predict token t + 1
 * @param scored whether token t + 1 counts in the loss, for each t below T
 */
public record Row(int[] ids, boolean[] scored) {}
