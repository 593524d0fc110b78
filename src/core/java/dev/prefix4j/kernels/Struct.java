package dev.prefix4j.kernels;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The structures of {@code native/include/prefix4j.h}, by the names of their fields. Pointers are addresses. */
@SuppressWarnings("ImmutableEnumChecker") // the list is unmodifiable, and layouts are immutable
enum Struct {
    Q8_ROWS("q:p", "ld:l", "scale:p", "sum:p"),
    SEGMENT("k:p", "v:p", "ld:l", "length:l", "layer_stride:l", "from:l", "turn:p", "dk:p", "dv:p", "ldd:l"),
    ATTENTION(
            "rows:l",
            "heads:l",
            "key_heads:l",
            "width:l",
            "rotary:l",
            "layer:l",
            "qoffsets:p",
            "qpositions:p",
            "soffsets:p",
            "segments:p",
            "own:l",
            "scale:f"),
    GROUPS("groups:l", "goffsets:p", "order:p"),
    ADAMW("rate:d", "beta1:d", "beta2:d", "epsilon:d", "decay:d", "step:l");

    private final List<String> fields;
    private final StructLayout layout;

    Struct(String... fields) {
        this.fields = List.of(fields);
        List<MemoryLayout> members = new ArrayList<>();
        long size = 0;
        for (String field : fields) {
            ValueLayout member = layout(field.charAt(field.length() - 1)).withName(name(field));
            members.add(member);
            size += member.byteSize();
        }
        if (size % Long.BYTES != 0) {
            members.add(MemoryLayout.paddingLayout(Long.BYTES - size % Long.BYTES));
        }
        this.layout = MemoryLayout.structLayout(members.toArray(MemoryLayout[]::new));
    }

    private static String name(String field) {
        return field.substring(0, field.length() - 2);
    }

    private static ValueLayout layout(char letter) {
        return switch (letter) {
            case 'p', 'l' -> ValueLayout.JAVA_LONG;
            case 'f' -> ValueLayout.JAVA_FLOAT;
            case 'd' -> ValueLayout.JAVA_DOUBLE;
            default -> throw new AssertionError(letter);
        };
    }

    /** Field names with the letters of their types, such as {@code ld:l}. */
    List<String> fields() {
        return fields;
    }

    StructLayout layout() {
        return layout;
    }

    /** Allocates one, filled with zeros. */
    Fields allocate(SegmentAllocator allocator) {
        return new Fields(allocator.allocate(layout));
    }

    /** Its name without {@code p4j_}. */
    String nativeName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Offset in bytes of each field; the size of the structure under the empty name. */
    Map<String, Long> offsets() {
        Map<String, Long> offsets = new LinkedHashMap<>();
        offsets.put("", layout.byteSize());
        fields.forEach(field -> offsets.put(name(field), offset(name(field))));
        return offsets;
    }

    /** Index of a field in units of 8 bytes, for structures whose fields all have 8 bytes. */
    int index(String field) {
        return (int) (offset(field) / Long.BYTES);
    }

    private long offset(String field) {
        return layout.byteOffset(PathElement.groupElement(field));
    }

    /** A structure in memory. */
    final class Fields {
        private final MemorySegment memory;

        private Fields(MemorySegment memory) {
            this.memory = memory;
        }

        Fields set(String field, long value) {
            memory.set(ValueLayout.JAVA_LONG, offset(field), value);
            return this;
        }

        Fields set(String field, float value) {
            memory.set(ValueLayout.JAVA_FLOAT, offset(field), value);
            return this;
        }

        Fields set(String field, double value) {
            memory.set(ValueLayout.JAVA_DOUBLE, offset(field), value);
            return this;
        }

        MemorySegment memory() {
            return memory;
        }

        long address() {
            return memory.address();
        }
    }
}
