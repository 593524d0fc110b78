package dev.prefix4j.report;

import java.util.Arrays;

/**
 * A quantity over the steps of a run, downsampled while it is read: each point has the minimum, mean and maximum
 * of the same number of steps, so that there are never more than {@link #MAX_POINTS}.
 */
final class Curve {
    static final int MAX_POINTS = 2000;

    /** The smoothing window as a fraction of the points, with a minimum. */
    private static final double SMOOTHED_SHARE = 0.01;

    private static final int SMOOTHED_POINTS = 5;

    private final double[] steps = new double[MAX_POINTS];
    private final double[] values = new double[MAX_POINTS];
    private final double[] weights = new double[MAX_POINTS];
    private final double[] least = new double[MAX_POINTS];
    private final double[] most = new double[MAX_POINTS];
    private int size;
    private int perPoint = 1;
    private int inLast;

    /** Adds a value; one that is not finite or has no weight is skipped. */
    void add(int step, double value, double weight) {
        if (!Double.isFinite(value) || !Double.isFinite(weight) || weight <= 0) {
            return;
        }
        if (size == 0 || inLast == perPoint) {
            if (size == MAX_POINTS) {
                halve();
            }
            size++;
            inLast = 0;
            least[size - 1] = value;
            most[size - 1] = value;
        }
        int last = size - 1;
        least[last] = Math.min(least[last], value);
        most[last] = Math.max(most[last], value);
        inLast++;
        weights[last] += weight;
        values[last] += (value - values[last]) * weight / weights[last];
        steps[last] += (step - steps[last]) / inLast;
    }

    /** Merges pairs of points. */
    private void halve() {
        for (int i = 0; i < size / 2; i++) {
            int a = 2 * i;
            int b = a + 1;
            double weight = weights[a] + weights[b];
            steps[i] = (steps[a] + steps[b]) / 2;
            values[i] = (values[a] * weights[a] + values[b] * weights[b]) / weight;
            weights[i] = weight;
            least[i] = Math.min(least[a], least[b]);
            most[i] = Math.max(most[a], most[b]);
        }
        size /= 2;
        perPoint *= 2;
        Arrays.fill(steps, size, MAX_POINTS, 0);
        Arrays.fill(values, size, MAX_POINTS, 0);
        Arrays.fill(weights, size, MAX_POINTS, 0);
    }

    boolean isEmpty() {
        return size == 0;
    }

    /** The mean step of each point. */
    double[] steps() {
        return Arrays.copyOf(steps, size);
    }

    /** The weighted mean of each point. */
    double[] values() {
        return Arrays.copyOf(values, size);
    }

    /** Of each point. */
    double[] least() {
        return Arrays.copyOf(least, size);
    }

    /** Of each point. */
    double[] most() {
        return Arrays.copyOf(most, size);
    }

    /** Steps per point. */
    int perPoint() {
        return perPoint;
    }

    /** An exponential moving average of the values, unbiased at the start (Kingma and Ba 2015, section 3). */
    double[] smoothed() {
        double span = Math.max(SMOOTHED_POINTS, size * SMOOTHED_SHARE);
        double keep = 1 - 2 / (span + 1);
        double mean = 0;
        double weight = 0;
        double[] smoothed = new double[size];
        for (int i = 0; i < size; i++) {
            mean = keep * mean + (1 - keep) * values[i];
            weight = keep * weight + (1 - keep);
            smoothed[i] = mean / weight;
        }
        return smoothed;
    }
}
