package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.SettingException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Entry point of {@code scripts/prefix4j}. */
@Command(
        name = "prefix4j",
        description = "Prefix-tuning of language models: train a few key/value vectors, keep the model.",
        synopsisSubcommandLabel = "COMMAND",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {
            TrainCommand.class,
            PretrainCommand.class,
            DemoCommand.class,
            GenerateCommand.class,
            ScoreCommand.class,
            EvaluateCommand.class,
            ReportCommand.class,
            SweepCommand.class,
            InspectCommand.class,
            MergeCommand.class,
            BenchCommand.class,
            DataCommand.class,
            DoctorCommand.class,
            CompletionCommand.class
        })
public final class Main {
    /** Done. */
    public static final int OK = 0;

    /** The command failed on its input or on this machine; standard error has one line. */
    public static final int FAILED = 1;

    /** The command line is wrong; standard error has one line. */
    public static final int WRONG_USAGE = 2;

    /** Longest message, in characters; of a longer one, the beginning and the end are shown. */
    private static final int MAX_MESSAGE = 1_000;

    private Main() {}

    /** Runs the command line and ends the process with its exit code. */
    public static void main(String[] args) {
        PrintStream out =
                new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), true, StandardCharsets.UTF_8);
        PrintStream err =
                new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.err), true, StandardCharsets.UTF_8);
        if (areGarbled(args, System.getProperty("sun.jnu.encoding"))) {
            err.println("prefix4j: the command line has characters that this locale cannot read; set LC_ALL=C.UTF-8");
            System.exit(FAILED);
        }
        System.exit(run(args, System.in, out, err));
    }

    /**
     * Whether arguments differ from what the user typed.
     *
     * @param encoding with which the JVM decoded them; Windows has its own, which no locale could fix
     */
    static boolean areGarbled(String[] args, String encoding) {
        return !"UTF-8".equalsIgnoreCase(encoding)
                && !System.getProperty("os.name").startsWith("Windows")
                && String.join("", args).chars().anyMatch(character -> character > 0x7f);
    }

    /**
     * Runs a command line in the environment of the process.
     *
     * @return the exit code
     */
    public static int run(String[] args, InputStream in, PrintStream out, PrintStream err) {
        return run(args, in, out, err, System.getenv());
    }

    /**
     * Runs a command line.
     *
     * @param environment variables, which among other things name the hub and its cache
     * @return the exit code
     */
    public static int run(
            String[] args, InputStream in, PrintStream out, PrintStream err, Map<String, String> environment) {
        boolean verbose = java.util.Arrays.asList(args).contains(OptionNames.VERBOSE);
        configureLogging(verbose);
        CommandLine line = reporting(new Console(in, out, err, environment), verbose)
                .setExecutionStrategy(parsed -> {
                    OptionBounds.require(parsed);
                    return new CommandLine.RunLast().execute(parsed);
                });
        if (args.length == 0) {
            line.usage(err);
            return WRONG_USAGE;
        }
        if (!args[0].startsWith("-") && !line.getSubcommands().containsKey(args[0])) {
            // Picocli would accept "--help" after it.
            return wrongUsage(new UnmatchedArgumentException(line, List.of(args[0])), List.of(), err);
        }
        return execute(line, args, err);
    }

    private static int execute(CommandLine line, String[] args, PrintStream err) {
        try {
            return line.execute(args);
        } catch (OutOfMemoryError e) {
            err.println(
                    "prefix4j: this needs more than the Java heap of %,d MB (%s): PREFIX4J_JAVA_OPTS=-Xmx4g gives 4 GB"
                            .formatted(
                                    Runtime.getRuntime().maxMemory() >> 20, oneLine(String.valueOf(e.getMessage()))));
            return FAILED;
        }
    }

    /**
     * Lets a command do the work of another one with the given options; errors are reported as on the command line.
     *
     * @param args with the name of the other command, of type {@code type}
     * @return the result of the work; empty if it failed
     */
    static <C extends ConsoleCommand, T> Optional<T> perform(
            Console console, List<String> args, Class<C> type, Function<C, T> work) {
        AtomicReference<T> result = new AtomicReference<>();
        boolean verbose = args.contains(OptionNames.VERBOSE);
        CommandLine line = reporting(console, verbose).setExecutionStrategy(parsed -> {
            OptionBounds.require(parsed);
            CommandLine other = parsed.subcommand().commandSpec().commandLine();
            try {
                result.set(work.apply(type.cast(other.getCommand())));
                return OK;
            } catch (ParameterException e) {
                throw e;
            } catch (RuntimeException e) {
                throw new CommandLine.ExecutionException(other, "the work failed", e);
            }
        });
        execute(line, args.toArray(String[]::new), console.err());
        return Optional.ofNullable(result.get());
    }

    /** All commands, with errors printed as lines to standard error. */
    private static CommandLine reporting(Console console, boolean verbose) {
        return commandLine(console)
                .setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8))
                .setUsageHelpAutoWidth(true)
                .setParameterExceptionHandler((e, given) -> wrongUsage(e, List.of(given), console.err()))
                .setExecutionExceptionHandler((e, _, _) -> failed(e, console.err(), verbose));
    }

    /**
     * Checks a command line without running it, as far as possible without files and models.
     *
     * @param line from {@link #silent}; can be reused
     * @throws ParameterException if the command line is wrong
     * @throws dev.prefix4j.InputException if a value is
     */
    static void check(CommandLine line, List<String> args) {
        OptionBounds.require(line.parseArgs(args.toArray(String[]::new)));
        Objects.requireNonNull(line.getSubcommands().get(args.getFirst()), "a command was parsed")
                .<ConsoleCommand>getCommand()
                .settle();
    }

    /** All commands, which print nothing. */
    static CommandLine silent(Map<String, String> environment) {
        PrintStream nowhere = new PrintStream(java.io.OutputStream.nullOutputStream());
        return commandLine(new Console(java.io.InputStream.nullInputStream(), nowhere, nowhere, environment));
    }

    private static CommandLine commandLine(Console console) {
        CommandLine.IFactory factory = new CommandLine.IFactory() {
            @Override
            public <K> K create(Class<K> type) throws Exception {
                if (ConsoleCommand.class.isAssignableFrom(type)) {
                    return type.getDeclaredConstructor(Console.class).newInstance(console);
                }
                return CommandLine.defaultFactory().create(type);
            }
        };
        CommandLine line = new CommandLine(new Main(), factory);
        OptionGroups.install(line);
        return line;
    }

    private static void configureLogging(boolean verbose) {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", verbose ? "info" : "error");
        System.setProperty("org.slf4j.simpleLogger.log.dev.prefix4j", verbose ? "debug" : "warn");
        System.setProperty("org.slf4j.simpleLogger.log.ai.djl", "error"); // it logs its search for a GPU
        System.setProperty("org.slf4j.simpleLogger.showThreadName", "false");
        System.setProperty("org.slf4j.simpleLogger.showShortLogName", "true");
    }

    /** @param given the whole command line: picocli reports a missing option before an unknown one */
    private static int wrongUsage(ParameterException e, List<String> given, PrintStream err) {
        CommandLine.Model.CommandSpec spec = e.getCommandLine().getCommandSpec();
        String command = spec.qualifiedName();
        List<String> similar = List.of();
        String message = e.getMessage();
        if (e instanceof UnmatchedArgumentException unmatched) {
            List<String> unknown = unknownOptions(unmatched.getUnmatched());
            String first = unknown.getFirst();
            message = "Unknown %s%s: '%s'"
                    .formatted(
                            first.startsWith("-") ? "option" : spec.parent() == null ? "command" : "argument",
                            unknown.size() > 1 ? "s" : "",
                            String.join("', '", unknown));
            similar = unmatched.getSuggestions().stream()
                    .sorted(Comparator.comparing(guess -> !guess.startsWith(first)))
                    .toList();
        }
        String hint = given.stream()
                .filter(argument -> spec.findOption(argument.replaceFirst("=.*", "")) == null)
                .map(PeftNames::hint)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
        String suggestion = hint != null
                ? "; " + hint
                : similar.isEmpty() ? "" : "; did you mean " + String.join(" or ", similar) + "?";
        err.println("prefix4j: " + withoutTypes(oneLine(String.valueOf(message))) + suggestion + " (see " + command
                + " --help)");
        return WRONG_USAGE;
    }

    /** The options among unmatched arguments, without the values that picocli could not assign; all if there is none. */
    private static List<String> unknownOptions(List<String> unmatched) {
        List<String> options = unmatched.stream()
                .filter(argument -> argument.matches("-+[A-Za-z].*"))
                .toList();
        return unmatched.getFirst().startsWith("-") && !options.isEmpty() ? options : unmatched;
    }

    /** Says in words what Java's type names mean. */
    private static String withoutTypes(String message) {
        return message.replaceFirst("' is not an int$", "' is not a whole number up to 2,147,483,647")
                .replaceFirst("' is not a (double|float)$", "' is not a number");
    }

    private static int failed(Exception e, PrintStream err, boolean verbose) {
        String message = e instanceof InputException
                ? e.getMessage()
                : "unexpected error: " + e + (verbose ? "" : " (--verbose shows where)");
        err.println("prefix4j: " + oneLine(String.valueOf(message)));
        if (verbose) {
            e.printStackTrace(err);
        }
        return e instanceof SettingException ? WRONG_USAGE : FAILED;
    }

    private static String oneLine(String message) {
        String line = message.lines()
                .map(String::strip)
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining(" "))
                .replaceAll("[\\p{Cntrl}\\p{Cf}\\p{Zl}\\p{Zp}]", " ");
        return line.length() <= MAX_MESSAGE
                ? line
                : line.substring(0, MAX_MESSAGE / 2) + "…" + line.substring(line.length() - MAX_MESSAGE / 2);
    }

    /** What the build recorded about itself, and what it runs on; loads nothing native. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() throws IOException {
            return lines(
                    read("/dev/prefix4j/version.properties"),
                    Runtime.version().toString(),
                    read("/META-INF/maven/org.bytedeco/pytorch/pom.properties"));
        }

        /**
         * @param build has {@code version} and {@code commit}, which may be empty or absent
         * @param libtorch has {@code version}: libtorch's, a dash, JavaCPP's
         */
        static String[] lines(Properties build, String java, Properties libtorch) {
            String commit = build.getProperty("commit", "");
            return new String[] {
                "prefix4j " + build.getProperty("version", "(development)")
                        + (commit.isEmpty() ? "" : " (commit " + commit + ")"),
                "Java " + java + ", libtorch "
                        + libtorch.getProperty("version", "(not found)").replaceFirst("-.*", "")
            };
        }

        private static Properties read(String resource) throws IOException {
            Properties properties = new Properties();
            try (InputStream in = Main.class.getResourceAsStream(resource)) {
                if (in != null) {
                    properties.load(in);
                }
            }
            return properties;
        }
    }
}
