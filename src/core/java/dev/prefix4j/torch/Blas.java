package dev.prefix4j.torch;

import dev.prefix4j.ProcessSettings;
import dev.prefix4j.SettingException;
import java.net.URL;
import java.util.Locale;
import org.bytedeco.javacpp.Loader;

/** The library that multiplies matrices on the CPU. */
public enum Blas {
    /** MKL where it is on the class path and its licence and platform (x86-64) allow, else OpenBLAS. */
    AUTO,
    /** Intel oneMKL, on the threads of libtorch's OpenMP. */
    MKL,
    /** OpenBLAS, on threads of its own; OpenMP's then wait passively. */
    OPENBLAS;

    /** The system property by which the presets choose. */
    static final String PROPERTY = "org.bytedeco.openblas.load";

    /**
     * @param setting that the name comes from
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
     * The one to load.
     *
     * @throws SettingException if that is MKL and it is not there
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
     * What the host of this process has set.
     *
     * @throws SettingException if this is another one
     */
    Blas given() {
        Blas given = System.getProperty(PROPERTY, "").equals("mkl") ? MKL : OPENBLAS;
        requireUnlessAuto(
                given, ProcessSettings.PROPERTY + " is off, and the system property " + PROPERTY + " chooses " + given);
        return given;
    }

    /** @throws SettingException if this is another one than libtorch was loaded with */
    void requireLoaded(Blas loaded) {
        requireUnlessAuto(loaded, "libtorch has been loaded with " + loaded + " in this process");
    }

    private void requireUnlessAuto(Blas other, String why) {
        if (this != AUTO && this != other) {
            throw new SettingException("BLAS '" + this + "': " + why);
        }
    }

    /** By the loader of this class: a thread's own may be absent, or another. */
    static URL resource(String name) {
        return Blas.class.getClassLoader().getResource(name);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
