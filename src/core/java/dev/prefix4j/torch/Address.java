package dev.prefix4j.torch;

import org.bytedeco.javacpp.Pointer;

/** An address as a JavaCPP pointer, which owns nothing. */
final class Address extends Pointer {
    Address(long address) {
        this.address = address;
    }
}
