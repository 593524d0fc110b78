package dev.prefix4j.torch;

import dev.prefix4j.ProcessSettings;
import dev.prefix4j.SettingException;
import java.net.URL;
import java.util.Locale;
import org.bytedeco.javacpp.Loader;

/** The library that multiplies matrices on the CPU. */
public enum Blas {
    /** MKL if it is on the class path for this platform (x86-64), else OpenBLAS. */
    AUTO,
    /** Intel oneMKL, on the threads of libtorch's OpenMP. */
    MKL,
    /** OpenBLAS, on its own threads; OpenMP's threads then wait passively. */
    OPENBLAS;

    /** The system property by which the presets select a BLAS. */
    static final String PROPERTY = "org.bytedeco.openblas.load";

    /**
     * @param setting the name's source, for the message
     * @throws SettingException if there is no such BLAS
     */
    static Blas parse(String setting, String name) {
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "auto" -> AUTO;
            case "mkl" -> MKL;
            case "openblas" -> OPENBLAS;
            default ->
                throw new SettingException("%s: expected auto, mkl or openblas, found '%s'".formatted(setting, name));
        };
    }

    /**
     * The BLAS to load.
     *
     * @throws SettingException if it is MKL and MKL is not available
     */
    Blas choose() {
        boolean available = resource("org/bytedeco/mkl/global/mkl_rt.class") != null
                && Loader.getPlatform().endsWith("x86_64")
                && resource("org/bytedeco/mkl/" + Loader.getPlatform() + "/libmkl_core.so.2") != null;
        if (this == MKL && !available) {
            throw new SettingException("BLAS 'mkl': expected org.bytedeco:mkl with its -redist library for "
                    + Loader.getPlatform() + " on the class path, found none");
        }
        return this != AUTO ? this : available ? MKL : OPENBLAS;
    }

    /**
     * The BLAS that the host of this process has chosen.
     *
     * @throws SettingException if this is a different one
     */
    Blas given() {
        Blas given = System.getProperty(PROPERTY, "").equals("mkl") ? MKL : OPENBLAS;
        requireUnlessAuto(
                given, ProcessSettings.PROPERTY + " is off, and the system property " + PROPERTY + " chooses " + given);
        return given;
    }

    /** @throws SettingException if libtorch was loaded with a different one */
    void requireLoaded(Blas loaded) {
        requireUnlessAuto(loaded, "libtorch has been loaded with " + loaded + " in this process");
    }

    private void requireUnlessAuto(Blas other, String why) {
        if (this != AUTO && this != other) {
            throw new SettingException("BLAS '" + this + "': " + why);
        }
    }

    /** By the loader of this class: a thread's context class loader may be absent or a different one. */
    static URL resource(String name) {
        return Blas.class.getClassLoader().getResource(name);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
