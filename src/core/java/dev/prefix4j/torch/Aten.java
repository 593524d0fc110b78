package dev.prefix4j.torch;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Argument;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.FunctionSchema;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * ATen operators, called by name and overload through the dispatcher: autograd, devices and checks apply as in
 * PyTorch's {@code torch.ops.aten}. They include those that the presets leave out, such as {@code aten::_fused_adamw_}.
 *
 * <pre>{@code
 * Aten.Operator relu = Aten.operator("aten::relu", "");
 * Tensor y = relu.tensor(x);
 * }</pre>
 *
 * <p>Arguments are positional, in the order of the schema; trailing ones with a default may be omitted. The Java
 * types are:
 *
 * <table>
 * <caption>Schema type and Java type</caption>
 * <tr><td>{@code Tensor}</td><td>{@link Tensor}</td></tr>
 * <tr><td>{@code int}, {@code SymInt}</td><td>{@link Long} or {@link Integer}</td></tr>
 * <tr><td>{@code float}</td><td>{@link Double}, {@link Float} or an integer</td></tr>
 * <tr><td>{@code Scalar}</td><td>any of these numbers, or {@link Boolean}</td></tr>
 * <tr><td>{@code bool}</td><td>{@link Boolean}</td></tr>
 * <tr><td>{@code str}</td><td>{@link String}</td></tr>
 * <tr><td>{@code ScalarType}</td><td>{@link torch.ScalarType}</td></tr>
 * <tr><td>{@code Device}</td><td>{@link Device}</td></tr>
 * <tr><td>{@code T?}</td><td>{@code null} or as {@code T}</td></tr>
 * <tr><td>{@code T[]}</td><td>{@link List} of {@code T}, {@code long[]}, {@code double[]}, {@code Tensor[]}</td></tr>
 * </table>
 *
 * <p>Calls go through libtorch's stable C ABI ({@code torch_call_dispatcher}). Schemas that this ABI does not support (with a
 * {@code Scalar}, a {@code Layout} or a {@code Generator}) go through the presets' boxed call: same operator, same result,
 * about twice the overhead.
 */
public final class Aten {
    private static final ConcurrentMap<String, Operator> OPERATORS = new ConcurrentHashMap<>();

    private Aten() {}

    /**
     * Looks up an operator; the result is cached.
     *
     * @param name with its namespace, such as {@code aten::_int_mm}
     * @param overload such as {@code Scalar}, or empty
     * @throws IllegalArgumentException if libtorch has no such operator
     */
    public static Operator operator(String name, String overload) {
        TorchRuntime.require();
        return OPERATORS.computeIfAbsent(name + '.' + overload, key -> new Operator(name, overload));
    }

    private record Parameter(String name, SchemaType type, boolean hasDefault) {}

    /** One operator. Safe for use by many threads. */
    public static final class Operator {
        private final String name;
        private final String overload;
        private final OperatorHandle handle;
        private final List<Parameter> parameters;
        private final List<SchemaType> returns;
        private final boolean stable;
        private final MemorySegment nativeName;
        private final MemorySegment nativeOverload;

        private Operator(String name, String overload) {
            this.name = name;
            this.overload = overload;
            try (PointerScope scope = new PointerScope()) {
                OperatorHandle found;
                try {
                    found = Dispatcher.singleton().findSchemaOrThrow(name, overload);
                } catch (RuntimeException e) {
                    throw new IllegalArgumentException("libtorch has no operator " + title(), e);
                }
                FunctionSchema schema = found.schema();
                this.parameters = parameters(schema.arguments());
                this.returns = parameters(schema.returns()).stream()
                        .map(Parameter::type)
                        .toList();
                // Never freed: operators are never unloaded.
                this.handle = new OperatorHandle(found);
                handle.retainReference();
                scope.detach(handle);
            }
            this.stable = parameters.stream().allMatch(p -> p.type().isStable()) && returnsAreStable();
            this.nativeName = Arena.global().allocateFrom(name);
            this.nativeOverload = Arena.global().allocateFrom(overload);
        }

        private static List<Parameter> parameters(Argument first) {
            if (first == null) { // how the presets represent an empty vector
                return List.of();
            }
            List<Parameter> list = new ArrayList<>();
            for (long i = first.position(); i < first.limit(); i++) {
                Argument argument = first.getPointer(i);
                BytePointer name = argument.name(); // null for the empty name of a result
                list.add(new Parameter(
                        name == null ? "" : name.getString(),
                        SchemaType.of(argument.real_type()),
                        argument.default_value().has_value()));
            }
            return List.copyOf(list);
        }

        /** The ABI reads the return types in reverse order, so only lists that are the same reversed are supported. */
        private boolean returnsAreStable() {
            for (int i = 0; i < returns.size(); i++) {
                SchemaType mirrored = returns.get(returns.size() - 1 - i);
                if (!returns.get(i).isStable() || !returns.get(i).equals(mirrored)) {
                    return false;
                }
            }
            return true;
        }

        /** Whether calls go through the stable C ABI; otherwise they go through the presets' boxed call. */
        public boolean isStable() {
            return stable;
        }

        /**
         * Calls an operator that returns one tensor.
         *
         * @return owned by the open {@link TensorScope}, or by the caller
         * @throws IllegalArgumentException if an argument does not fit the schema
         * @throws IllegalStateException if libtorch rejects the call; the message contains its reason
         */
        public Tensor tensor(@Nullable Object... arguments) {
            @Nullable Object[] results = call(arguments);
            if (results.length != 1 || !(results[0] instanceof Tensor tensor)) {
                throw new IllegalArgumentException(title() + " returns " + returns.size() + " values, not one tensor");
            }
            return tensor;
        }

        /**
         * Calls the operator.
         *
         * @return its results: {@link Tensor} (owned by the open {@link TensorScope}, or by the caller), {@link Long},
         *     {@link Double}, {@link Boolean}, {@link String}, {@link List} or {@code null}
         * @throws IllegalArgumentException if an argument does not fit the schema
         * @throws IllegalStateException if libtorch rejects the call; the message contains its reason
         */
        public @Nullable Object[] call(@Nullable Object... arguments) {
            @Nullable Object[] complete = check(arguments);
            return stable && complete.length == arguments.length ? callStable(complete) : callBoxed(complete);
        }

        private @Nullable Object[] check(@Nullable Object[] arguments) {
            if (arguments.length > parameters.size()) {
                throw new IllegalArgumentException("%s: expected at most %d arguments, got %d"
                        .formatted(title(), parameters.size(), arguments.length));
            }
            @Nullable Object[] complete = new @Nullable Object[parameters.size()];
            for (int i = 0; i < parameters.size(); i++) {
                Parameter parameter = parameters.get(i);
                if (i >= arguments.length) {
                    if (!parameter.hasDefault()) {
                        throw new IllegalArgumentException("%s: argument %d '%s' (%s) is missing"
                                .formatted(
                                        title(),
                                        i,
                                        parameter.name(),
                                        parameter.type().text()));
                    }
                    complete[i] = Default.VALUE;
                    continue;
                }
                complete[i] = asList(arguments[i]);
                if (!parameter.type().accepts(complete[i])) {
                    throw new IllegalArgumentException("%s: argument %d '%s': expected %s, got %s"
                            .formatted(
                                    title(),
                                    i,
                                    parameter.name(),
                                    parameter.type().text(),
                                    describe(complete[i])));
                }
            }
            return complete;
        }

        private @Nullable Object[] callStable(@Nullable Object[] arguments) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment stack =
                        arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, Math.max(arguments.length, returns.size())));
                for (int i = 0; i < arguments.length; i++) {
                    stack.setAtIndex(
                            ValueLayout.JAVA_LONG, i, parameters.get(i).type().toStable(arguments[i], arena));
                }
                if (!StableAbi.callDispatcher(nativeName, nativeOverload, stack)) {
                    throw refused(arguments);
                }
                @Nullable Object[] results = new @Nullable Object[returns.size()];
                for (int i = 0; i < results.length; i++) {
                    results[i] = returns.get(i).fromStable(stack.getAtIndex(ValueLayout.JAVA_LONG, i));
                }
                return results;
            }
        }

        /**
         * The C ABI does not return the reason, so the call is repeated through the presets, which fail in the same way and
         * throw it. Whatever an operator wrote before it failed is lost in any case.
         */
        private IllegalStateException refused(@Nullable Object[] arguments) {
            try (TensorScope _ = new TensorScope()) {
                callBoxed(arguments);
            } catch (IllegalStateException e) {
                return e;
            }
            return new IllegalStateException(title() + " failed, but not when it was repeated; got "
                    + describe(java.util.Arrays.asList(arguments)));
        }

        private @Nullable Object[] callBoxed(@Nullable Object[] arguments) {
            @Nullable Object[] results = new @Nullable Object[returns.size()];
            try (TensorScope scope = new TensorScope()) {
                FunctionSchema schema = handle.schema();
                IValueVector stack = new IValueVector();
                for (int i = 0; i < arguments.length; i++) {
                    Argument argument = schema.arguments().getPointer(i);
                    stack.push_back(
                            arguments[i] == Default.VALUE
                                    ? argument.default_value().get()
                                    : parameters.get(i).type().toBoxed(argument.real_type(), arguments[i]));
                }
                try {
                    handle.callBoxed(stack);
                } catch (RuntimeException e) {
                    throw new IllegalStateException(title() + ": " + firstLine(e.getMessage()), e);
                }
                for (int i = 0; i < results.length; i++) {
                    results[i] = returns.get(i).fromBoxed(stack.get(i), scope);
                }
            }
            return results;
        }

        private String title() {
            return overload.isEmpty() ? name : name + '.' + overload;
        }

        /** The operator with its parameters, such as {@code aten::relu(self: Tensor)}. */
        @Override
        public String toString() {
            return title()
                    + parameters.stream()
                            .map(p -> p.name() + ": " + p.type().text())
                            .collect(Collectors.joining(", ", "(", ")"));
        }
    }

    /** Stands for an argument that was omitted. */
    private enum Default {
        VALUE
    }

    private static @Nullable Object asList(@Nullable Object value) {
        return switch (value) {
            case long[] array -> java.util.Arrays.stream(array).boxed().toList();
            case int[] array -> java.util.Arrays.stream(array).boxed().toList();
            case double[] array -> java.util.Arrays.stream(array).boxed().toList();
            case Object[] array -> java.util.Arrays.asList(array);
            case null -> null;
            default -> value;
        };
    }

    private static String describe(@Nullable Object value) {
        return switch (value) {
            case null -> "null";
            case Tensor tensor when tensor.isNull() -> TensorScope.CLOSED;
            case Tensor tensor ->
                "Tensor" + java.util.Arrays.toString(tensor.sizes().vec().get()) + ' ' + tensor.scalar_type();
            case List<?> list -> list.stream().map(Aten::describe).collect(Collectors.joining(", ", "[", "]"));
            case Number number -> number.getClass().getSimpleName() + ' ' + number;
            case Object other -> other.getClass().getSimpleName();
        };
    }

    private static String firstLine(@Nullable String message) {
        return message == null ? "no reason given" : message.lines().findFirst().orElse("");
    }
}
