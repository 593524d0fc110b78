package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.torch.TorchRuntime;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "doctor", description = "Reports what this installation runs on.")
final class DoctorCommand extends ConsoleCommand {
    @Mixin
    RuntimeOptions runtimeOptions;

    DoctorCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        runtimeOptions.start();
        Map<String, String> facts = facts();
        facts.put("devices", String.join(", ", TorchRuntime.devices()));
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            facts.forEach(node::put);
            console.out().println(node);
        } else {
            facts.forEach((name, value) -> console.out().printf("%-12s%s%n", name, value));
        }
        return Main.OK;
    }

    /** What this process runs on, by topic; libtorch has been started. */
    static Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("java", Runtime.version() + " (" + System.getProperty("java.home") + ")");
        facts.put(
                "system",
                System.getProperty("os.name") + " " + System.getProperty("os.version") + ", "
                        + System.getProperty("os.arch") + ", "
                        + Runtime.getRuntime().availableProcessors() + " processors");
        facts.putAll(TorchRuntime.require().describe());
        facts.put("kernels", Kernels.describe());
        return facts;
    }
}
