package dev.prefix4j.torch;

import org.bytedeco.javacpp.Pointer;

/** An address as JavaCPP's pointer, owning nothing. */
final class Address extends Pointer {
    Address(long address) {
        this.address = address;
    }
}
