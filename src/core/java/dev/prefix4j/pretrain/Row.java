package dev.prefix4j.pretrain;

/**
 * A row of a batch: T tokens that the model reads and the T that it is to predict.
 *
 * @param ids T + 1 tokens: token t is read, token t + 1 is to be predicted there
 * @param scored whether token t + 1 counts in the loss, for each t below T
 */
public record Row(int[] ids, boolean[] scored) {}
