package dev.prefix4j.report;

import java.util.Arrays;

/**
 * A quantity over the steps of a run, thinned while it is read: each point has the least, the mean and the greatest value
 * of the same number of steps, so that there are never more than {@link #MAX_POINTS}.
 */
final class Curve {
    static final int MAX_POINTS = 2000;

    /** A smoothed value reaches back over this share of the points, but over some points at least. */
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

    /** Adds a value; one that is no finite number, or has no weight, is left out. */
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

    /** Makes one point of two. */
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

    /** Of each point: the mean of its steps. */
    double[] steps() {
        return Arrays.copyOf(steps, size);
    }

    /** Of each point: the mean, by weight. */
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

    /** Steps that make a point. */
    int perPoint() {
        return perPoint;
    }

    /** An exponential moving mean of the values, unbiased at the start (Kingma and Ba 2015, section 3). */
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
