package dev.prefix4j.torch;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.GenericList;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Type;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * A type in the schema of an operator, and the conversion of its values to and from libtorch's.
 *
 * @param element the type inside an optional or a list; null for others
 * @param text the type as written in the schema
 */
record SchemaType(Kind kind, @Nullable SchemaType element, String text) {
    static SchemaType of(Type.TypePtr pointer) {
        Type type = pointer.get();
        String text = type.str().getString();
        return switch (type.kind().intern()) {
            case TensorType -> new SchemaType(Kind.TENSOR, null, text);
            case IntType, SymIntType -> new SchemaType(Kind.INT, null, text);
            case FloatType -> new SchemaType(Kind.FLOAT, null, text);
            case BoolType -> new SchemaType(Kind.BOOL, null, text);
            case StringType -> new SchemaType(Kind.STRING, null, text);
            case ScalarTypeType -> new SchemaType(Kind.SCALAR_TYPE, null, text);
            case DeviceObjType -> new SchemaType(Kind.DEVICE, null, text);
            case NumberType -> new SchemaType(Kind.SCALAR, null, text);
            case OptionalType -> new SchemaType(Kind.OPTIONAL, of(type.containedType(0)), text);
            case ListType -> new SchemaType(Kind.LIST, of(type.containedType(0)), text);
            default -> new SchemaType(Kind.OTHER, null, text);
        };
    }

    /** The type inside an optional or a list. */
    private SchemaType contained() {
        return Objects.requireNonNull(element, text);
    }

    /** Whether libtorch 2.10's stable ABI converts values of this type. */
    boolean isStable() {
        return switch (kind) {
            case TENSOR, INT, FLOAT, BOOL, STRING, SCALAR_TYPE, DEVICE -> true;
            case OPTIONAL, LIST -> contained().isStable();
            case SCALAR, OTHER -> false;
        };
    }

    boolean accepts(@Nullable Object value) {
        return switch (kind) {
            case TENSOR -> value instanceof Tensor t && !t.isNull();
            case INT -> value instanceof Long || value instanceof Integer;
            case FLOAT -> value instanceof Number;
            case BOOL -> value instanceof Boolean;
            case STRING -> value instanceof String;
            case SCALAR_TYPE -> value instanceof torch.ScalarType;
            case DEVICE -> value instanceof Device;
            case SCALAR -> value instanceof Number || value instanceof Boolean;
            case OPTIONAL -> value == null || contained().accepts(value);
            case LIST -> value instanceof List<?> list && list.stream().allMatch(contained()::accepts);
            case OTHER -> value instanceof IValue;
        };
    }

    /** Schema types whose values are converted. {@code OTHER} is any other type of libtorch's. */
    enum Kind {
        TENSOR,
        INT,
        FLOAT,
        BOOL,
        STRING,
        SCALAR_TYPE,
        DEVICE,
        SCALAR,
        OPTIONAL,
        LIST,
        OTHER
    }

    /** Converts an accepted value to the stable ABI's 64 bits. */
    long toStable(@Nullable Object value, Arena arena) {
        if (value == null) {
            return 0; // an empty optional: no other type accepts null
        }
        return switch (kind) {
            case TENSOR -> StableAbi.newHandle((Tensor) value); // the dispatcher takes ownership of the handle
            case INT -> ((Number) value).longValue();
            case FLOAT -> Double.doubleToRawLongBits(((Number) value).doubleValue());
            case BOOL -> (boolean) value ? 1 : 0;
            case STRING -> StableAbi.newString((String) value, arena);
            case SCALAR_TYPE -> ((torch.ScalarType) value).value;
            // c10::Device: type in the upper half, index in the lower
            case DEVICE ->
                ((long) ((Device) value).type().value << 32) | Integer.toUnsignedLong(((Device) value).index());
            case OPTIONAL -> StableAbi.newBox(contained().toStable(value, arena));
            case LIST -> {
                List<?> list = (List<?>) value;
                long[] items = new long[list.size()];
                for (int i = 0; i < items.length; i++) {
                    items[i] = contained().toStable(list.get(i), arena);
                }
                yield StableAbi.newList(items);
            }
            case SCALAR, OTHER -> throw new AssertionError(this);
        };
    }

    /** Converts a result from the stable ABI's 64 bits. */
    @Nullable
    Object fromStable(long bits) {
        return switch (kind) {
            case TENSOR -> StableAbi.adopt(bits);
            case INT -> bits;
            case FLOAT -> Double.longBitsToDouble(bits);
            case BOOL -> (bits & 0xff) != 0;
            case STRING -> StableAbi.takeString(bits);
            case OPTIONAL -> bits == 0 ? null : contained().fromStable(StableAbi.takeBox(bits));
            case LIST -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (long item : StableAbi.takeList(bits)) {
                    list.add(contained().fromStable(item));
                }
                yield list;
            }
            case SCALAR_TYPE -> scalarType((int) bits);
            case DEVICE, SCALAR, OTHER -> throw new AssertionError(this);
        };
    }

    /** @param value libtorch's constant for it */
    private static torch.ScalarType scalarType(int value) {
        return Arrays.stream(torch.ScalarType.values())
                .filter(type -> type.value == value)
                .findFirst()
                .orElseThrow();
    }

    /**
     * Converts a value for the boxed call.
     *
     * @param pointer the type as libtorch has it
     */
    IValue toBoxed(Type.TypePtr pointer, @Nullable Object value) {
        return switch (value) {
            case null -> new IValue();
            case Tensor tensor -> new IValue(tensor);
            case Boolean bool -> new IValue(bool);
            case Number number when kind == Kind.OPTIONAL -> contained().toBoxed(pointer, number);
            case Number number
            when kind == Kind.INT || (isInteger(number) && kind == Kind.SCALAR) -> new IValue(number.longValue());
            case Number number -> new IValue(number.doubleValue());
            case String string -> new IValue(string);
            case torch.ScalarType scalarType -> new IValue((long) scalarType.value); // an int in IValue, as in JIT
            case Device device -> new IValue(device);
            case IValue given -> given;
            case List<?> list -> {
                Type.TypePtr inner = kind == Kind.OPTIONAL ? pointer.get().containedType(0) : pointer;
                SchemaType listType = kind == Kind.OPTIONAL ? contained() : this;
                Type.TypePtr elementType = inner.get().containedType(0);
                GenericList boxed = new GenericList(elementType);
                for (Object item : list) {
                    boxed.push_back(listType.contained().toBoxed(elementType, item));
                }
                yield new IValue(boxed);
            }
            case Object other -> throw new AssertionError(other.getClass());
        };
    }

    private static boolean isInteger(Number number) {
        return number instanceof Long || number instanceof Integer;
    }

    /** Converts a result of the boxed call; a tensor outlives the scope. */
    @Nullable
    Object fromBoxed(IValue value, TensorScope scope) {
        return switch (kind) {
            case TENSOR -> scope.keep(new Tensor(value.toTensor()));
            case INT -> value.toInt();
            case FLOAT -> value.toDouble();
            case BOOL -> value.toBool();
            case STRING -> value.toStringRef().getString();
            case OPTIONAL -> value.isNone() ? null : contained().fromBoxed(value, scope);
            case LIST -> {
                List<@Nullable Object> list = new ArrayList<>();
                GenericList items = value.toList();
                for (long i = 0; i < items.size(); i++) {
                    list.add(contained().fromBoxed(items.get(i), scope));
                }
                yield list;
            }
            case SCALAR -> value.isInt() ? (Object) value.toInt() : value.isBool() ? value.toBool() : value.toDouble();
            case SCALAR_TYPE, DEVICE, OTHER ->
                throw new UnsupportedOperationException("results of type " + text + " are not supported");
        };
    }
}
