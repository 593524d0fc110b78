package dev.prefix4j.frozen;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** In our kernels a row gets the same bits alone and in any company: ids, logits, losses, gradients. */
class CompanyTest {
    /** Room for 200 positions of a prefix, 300 tokens of a prompt, and what follows. */
    private static final int POSITIONS = 520;

    private static final int LONGEST_PROMPT = 300;
    private static final int VIRTUAL_TOKENS = 3;

    /** A GPT-2, and a model of the family of Llama with grouped heads, in every precision. */
    static Stream<Arguments> modelsAndPrecisions() {
        return Stream.of(FrozenModelTest.Model.USUAL, FrozenModelTest.Model.LLAMA)
                .flatMap(model -> Arrays.stream(Precision.values()).map(precision -> Arguments.of(model, precision)));
    }

    private static BaseModel model(FrozenModelTest.Model geometry) {
        ModelConfig config = geometry.config;
        return FrozenModelTest.model(new ModelConfig(
                config.family(),
                config.layers(),
                config.width(),
                POSITIONS,
                config.vocabulary(),
                config.attention(),
                config.mlp(),
                config.norm(),
                config.tiedHead(),
                config.tokens()));
    }

    /** Prefixes of 0, 1, 10, 200 positions and one that some layers see, an infix, an embedding adapter, and an infix with one. */
    private static List<Conditioned> prompts(FrozenModel frozen) {
        ModelConfig config = frozen.config();
        List<SoftPrompt> prompts = new ArrayList<>();
        for (int length : new int[] {0, 1, 10, 200}) {
            prompts.add(SoftPrompt.prefix(FrozenModelTest.vectors(config, length), config));
        }
        Tensor infix = FrozenModelTest.vectors(config, 7);
        Tensor tokens = torch.randn(VIRTUAL_TOKENS, config.width());
        int last = config.layers() - 1;
        prompts.add(SoftPrompt.activations(infix, SoftPrompt.Place.PREFIX, 1, last, config));
        prompts.add(SoftPrompt.activations(infix, SoftPrompt.Place.INFIX, 0, last, config));
        prompts.add(SoftPrompt.embeddings(tokens, config));
        prompts.add(new SoftPrompt(infix, SoftPrompt.Place.INFIX, 0, last, tokens));
        return prompts.stream().map(prompt -> new Conditioned(frozen, prompt)).toList();
    }

    /**
     * A row of a company.
     *
     * @param of index of its soft prompt
     * @param sequence arranged: a source, which is read, and a target, which is trained on
     * @param cuts where its source is cut into chunks, from 0 to its length
     * @param steps that it is decoded
     */
    private record Member(int of, Sequence sequence, int[] cuts, int steps) {
        static Member of(int prompt, Conditioned conditioned, int source, Random random) {
            int vocabulary = conditioned.model().config().vocabulary();
            Sequence sequence = conditioned.arrange(new Sequence(
                    random.ints(source + 1 + random.nextInt(8), 0, vocabulary).toArray(), source));
            int end = sequence.sourceLength();
            int[] cuts = IntStream.concat(IntStream.of(0, end), random.ints(random.nextInt(3), 0, end))
                    .sorted()
                    .distinct()
                    .toArray();
            return new Member(prompt, sequence, cuts, 1 + random.nextInt(4));
        }

        int[] source() {
            return Arrays.copyOf(sequence.ids(), sequence.sourceLength());
        }
    }

    /** Ids that a row went on with, and the logits that they were taken from: greedily, without an end. */
    private record Decoded(List<Integer> ids, List<Tensor> logits) {}

    private static List<Decoded> decode(List<Conditioned> prompts, List<Member> members) {
        List<Decoded> decoded = new ArrayList<>();
        List<Run> runs = prompts.stream().map(Conditioned::run).toList();
        FrozenModel frozen = prompts.getFirst().model();
        int pages =
                runs.stream().mapToInt(run -> Session.pagesFor(run.length())).sum()
                        + members.stream()
                                .mapToInt(m -> Session.pagesFor(m.sequence().sourceLength() + m.steps()))
                                .sum();
        try (Session session = new Session(frozen, pages)) {
            List<Session.Row> rows = new ArrayList<>();
            for (Member member : members) {
                int tokens = member.sequence().sourceLength();
                List<Seen> seen = prompts.get(member.of()).seen(runs.get(member.of()), tokens);
                rows.add(session.admit(seen, tokens + member.steps()));
                decoded.add(new Decoded(new ArrayList<>(), new ArrayList<>()));
            }
            for (int round = 1; read(session, prompts, members, rows, decoded, round); round++) {}
            for (int step = 0; step(session, members, rows, decoded, step); step++) {}
        } finally {
            runs.forEach(Run::close);
        }
        return decoded;
    }

    /** Reads of every source its next chunk; whether there was one. */
    private static boolean read(
            Session session,
            List<Conditioned> prompts,
            List<Member> members,
            List<Session.Row> rows,
            List<Decoded> decoded,
            int round) {
        int[] open = IntStream.range(0, members.size())
                .filter(i -> members.get(i).cuts().length > round)
                .toArray();
        if (open.length == 0) {
            return false;
        }
        List<Session.Chunk> chunks = new ArrayList<>();
        for (int i : open) {
            int[] cuts = members.get(i).cuts();
            int[] ids = Arrays.copyOfRange(members.get(i).source(), cuts[round - 1], cuts[round]);
            Tensor vectors = prompts.get(members.get(i).of()).vectors();
            chunks.add(Session.Chunk.prompt(rows.get(i), ids, vectors.size(0) == 0 ? null : vectors));
        }
        take(session.read(chunks), open, members, decoded, round);
        return true;
    }

    /** Of every row that is not at its end one token more; whether there was one. */
    private static boolean step(
            Session session, List<Member> members, List<Session.Row> rows, List<Decoded> decoded, int step) {
        int[] open = IntStream.range(0, members.size())
                .filter(i -> members.get(i).steps() > step)
                .toArray();
        if (open.length == 0) {
            return false;
        }
        long[] tokens = Arrays.stream(open)
                .mapToLong(i -> decoded.get(i).ids().getLast())
                .toArray();
        take(
                session.step(Arrays.stream(open).mapToObj(rows::get).toList(), tokens),
                open,
                members,
                decoded,
                Integer.MAX_VALUE);
        return true;
    }

    private static void take(Tensor logits, int[] open, List<Member> members, List<Decoded> decoded, int round) {
        for (int i = 0; i < open.length; i++) {
            Decoded row = decoded.get(open[i]);
            row.logits().add(logits.select(0, i));
            if (round >= members.get(open[i]).cuts().length - 1) { // the source was read to its end
                row.ids().add((int) logits.select(0, i).argmax().item_long());
            }
        }
    }

    private static GradientPass.Gradients gradients(List<Conditioned> prompts, List<Member> members, int[] of) {
        PackedBatch batch =
                PackedBatch.of(members.stream().map(Member::sequence).toList());
        List<Adaptation> adaptations =
                prompts.stream().map(one -> Adaptation.of(one.prompt())).toList();
        return prompts.getFirst()
                .model()
                .gradient(batch, adaptations, of, Objective.likelihood(0.25).each(batch.targets().length));
    }

    private static void checkDecoding(List<Conditioned> prompts, List<Member> company) {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            List<Decoded> together = decode(prompts, company);
            for (int i = 0; i < company.size(); i++) {
                Decoded alone = decode(prompts, List.of(company.get(i))).getFirst();
                String row = "row %d of %d".formatted(i, company.size());
                assertEquals(alone.ids(), together.get(i).ids(), row);
                assertEquals(company.get(i).steps() + 1, alone.ids().size(), row);
                for (int n = 0; n < alone.logits().size(); n++) {
                    assertTrue(
                            alone.logits().get(n).equal(together.get(i).logits().get(n)), row + ", logits " + n);
                }
            }
        }
    }

    /** Losses and gradients of every soft prompt, against those of a batch of its own rows. */
    private static void checkTraining(List<Conditioned> prompts, List<Member> company) {
        try (TensorScope _ = new TensorScope()) {
            int[] of = company.stream().mapToInt(Member::of).toArray();
            GradientPass.Gradients together = gradients(prompts, company, of);
            for (int one = 0; one < prompts.size(); one++) {
                int prompt = one;
                int[] rows = IntStream.range(0, of.length)
                        .filter(i -> of[i] == prompt)
                        .toArray();
                if (rows.length == 0) {
                    continue;
                }
                GradientPass.Gradients alone = gradients(
                        List.of(prompts.get(one)),
                        Arrays.stream(rows).mapToObj(company::get).toList(),
                        new int[rows.length]);
                assertArrayEquals(
                        alone.losses(),
                        Arrays.stream(rows)
                                .mapToDouble(i -> together.losses()[i])
                                .toArray());
                Adaptation.Gradient own = alone.adaptations().getFirst();
                Adaptation.Gradient among = together.adaptations().get(one);
                assertEquals(0, own.activations().isfinite().logical_not().sum().item_long());
                assertTrue(own.activations().equal(among.activations()), "gradient of prompt " + one);
                assertTrue(own.embeddings().equal(among.embeddings()), "gradient of virtual tokens " + one);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("modelsAndPrecisions")
    void sixteenRowsWithEightPromptsGetWhatTheyGetAlone(FrozenModelTest.Model geometry, Precision precision) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        Random random = new Random(8);
        try (TensorScope _ = new TensorScope()) {
            FrozenModel frozen =
                    new FrozenModel(model(geometry), new FrozenModel.Options(precision, false, false, Kernels.find()));
            List<Conditioned> prompts = prompts(frozen);
            List<Member> company = IntStream.range(0, 16)
                    .mapToObj(i -> Member.of(i * 5 % 8, prompts.get(i * 5 % 8), 1 + random.nextInt(40), random))
                    .toList();
            assertEquals(8, company.stream().map(Member::of).distinct().count());
            checkDecoding(prompts, company);
            checkTraining(prompts, company);
        }
    }

    @ParameterizedTest
    @MethodSource("modelsAndPrecisions")
    void rowsOfRandomCompaniesGetWhatTheyGetAlone(FrozenModelTest.Model geometry, Precision precision) {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        Random random = new Random(64);
        try (TensorScope _ = new TensorScope()) {
            FrozenModel frozen =
                    new FrozenModel(model(geometry), new FrozenModel.Options(precision, false, false, Kernels.find()));
            List<Conditioned> prompts = prompts(frozen);
            for (int size : new int[] {1 + random.nextInt(63), 1 + random.nextInt(63), 64}) {
                List<Member> company = new ArrayList<>();
                for (int i = 0; i < size; i++) {
                    int of = random.nextInt(prompts.size());
                    company.add(Member.of(of, prompts.get(of), 1 + random.nextInt(LONGEST_PROMPT), random));
                }
                checkDecoding(prompts, company);
                checkTraining(prompts, company);
            }
        }
    }
}
