package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a hub answers, and what it is asked. */
class HubAnswersTest extends HubFixture {
    @Test
    void tokenGoesToTheHubAndNotToItsCdn() throws Exception {
        get(ID, "HF_TOKEN", "hf_secret");
        assertTrue(hub.requests.stream().anyMatch(request -> request.server().equals("cdn")));
        for (FakeHub.Request request : hub.requests) {
            assertEquals(
                    request.server().equals("hub") ? Optional.of("Bearer hf_secret") : Optional.empty(),
                    request.authorization(),
                    request.toString());
        }
    }

    @Test
    void tokenComesFromTheFileOfTheLogin() throws Exception {
        Files.writeString(home.resolve("token"), "hf_of_the_file\n");
        get(ID);
        assertEquals(
                Optional.of("Bearer hf_of_the_file"), hub.requests.getFirst().authorization());
    }

    @Test
    void renamedModelIsFollowedWithTheToken() throws Exception {
        FakeHub.Fault rename = exchange -> {
            String path = exchange.getRequestURI().getRawPath();
            if (!path.startsWith("/old/")) {
                return false;
            }
            exchange.getResponseHeaders().set("Location", path.replace("/old/name/", "/owner/tiny/"));
            exchange.sendResponseHeaders(307, -1);
            return true;
        };
        hub.fault = rename;
        Path folder = get(new HubId("old/name", "main"), "HF_TOKEN", "hf_secret");
        assertModel(folder);
        assertEquals(home.resolve("hub/models--old--name/snapshots").resolve(FakeHub.COMMIT), folder);
        assertTrue(hub.requests.stream()
                .filter(request -> request.server().equals("hub"))
                .allMatch(request -> request.authorization().isPresent()));
    }

    @Test
    void redirectsEnd() {
        hub.fault = exchange -> {
            exchange.getResponseHeaders()
                    .set("Location", exchange.getRequestURI().getRawPath());
            exchange.sendResponseHeaders(307, -1);
            return true;
        };
        assertTrue(notThere(ID).endsWith("cannot be reached: more than 5 redirects"));
    }

    @Test
    void redirectElsewhereThanTheWebIsRefused() {
        hub.fault = exchange -> {
            exchange.getResponseHeaders().set("Location", "file:///etc/passwd");
            exchange.sendResponseHeaders(302, -1);
            return true;
        };
        assertTrue(refused(ID)
                .endsWith("expected a redirect to an address as safe as its own, found 'file:///etc/passwd'"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../../../etc/cron.d/x", "a/b", "", ".hidden", "a b", "é"})
    void tagThatIsNotAPlainNameIsRefused(String tag) throws IOException {
        hub.etag = _ -> tag;
        String message = refused(ID);
        assertTrue(message.startsWith("owner/tiny: config.json: tag of the answer of 127.0.0.1:"), message);
        assertFalse(Files.exists(repository()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../../x", "a/b"})
    void commitThatIsNotAPlainNameIsRefused(String commit) {
        hub.revisions.put("main", commit);
        assertTrue(refused(ID).startsWith("owner/tiny: config.json: commit of the answer of 127.0.0.1:"));
        assertFalse(Files.exists(repository()));
    }

    @ParameterizedTest
    @CsvSource({
        "Content-Length, 99999999, 'config.json: expected at most 4,194,304 bytes, found 99,999,999'",
        "X-Linked-Size, 99999999999999999, 'expected at most 4,194,304 bytes'",
        "X-Linked-Size, -5, 'expected a number of bytes'",
        "X-Linked-Size, 1e9, 'expected a number of bytes'",
        "X-Repo-Commit, '', 'commit of the answer of'",
    })
    void absurdHeadersAreRefused(String name, String value, String expected) {
        hub.fault = exchange -> {
            if (!exchange.getRequestMethod().equals("HEAD")) {
                return false;
            }
            exchange.getResponseHeaders().set("ETag", "\"abc\"");
            exchange.getResponseHeaders().set("X-Repo-Commit", FakeHub.COMMIT);
            exchange.getResponseHeaders().set("Content-Length", "10");
            exchange.getResponseHeaders().set(name, value);
            exchange.sendResponseHeaders(200, -1);
            return true;
        };
        String message = refused(ID);
        assertTrue(message.contains(expected), message);
    }

    @Test
    void fileLargerThanTheDiskIsRefused() {
        hub.fault = exchange -> {
            if (FakeHub.is(exchange, "HEAD", "model.safetensors")) {
                exchange.getResponseHeaders().set("ETag", "\"abc\"");
                exchange.getResponseHeaders().set("X-Repo-Commit", FakeHub.COMMIT);
                exchange.getResponseHeaders().set("X-Linked-Size", "900000000000000000");
                exchange.sendResponseHeaders(200, -1);
                return true;
            }
            return false;
        };
        assertTrue(refused(ID).contains("model.safetensors needs 900,000,000,000,000,000 bytes on the disk, found "));
    }

    @Test
    void otherServersAreRecognized() {
        hub.fault = exchange -> {
            exchange.sendResponseHeaders(200, -1);
            return true;
        };
        assertTrue(refused(ID).endsWith("found none: is it a hub?"));
    }

    @Test
    void missingThingsAreToldApart() {
        String host = hub.endpoint().substring(7);
        assertEquals(
                host + " has no such repository (HTTP 404), or a private one, which needs HF_TOKEN",
                notThere(new HubId("owner/other", "main")));
        assertEquals(
                host + " has no such repository (HTTP 404), or HF_TOKEN does not open it",
                notThere(new HubId("owner/other", "main"), "HF_TOKEN", "hf_secret"));
        hub.files.remove("tokenizer.json");
        assertEquals(
                "owner/tiny: expected tokenizer.json, or vocab.json and merges.txt, found neither at " + host,
                refused(ID));
        hub.files.put("vocab.json", new byte[0]);
        hub.files.put("merges.txt", new byte[0]);
        hub.files.remove("model.safetensors");
        assertTrue(refused(ID).startsWith("owner/tiny: expected model.safetensors, found none at " + host));
        hub.files.remove("config.json");
        assertEquals(host + " has no config.json at its revision main", notThere(ID));
        assertEquals(
                List.of(), heard.stream().filter(text -> text.contains("try")).toList());
    }

    @ParameterizedTest
    @CsvSource({
        "401, , has no such repository (HTTP 401)",
        "401, RepoNotFound, has no such repository (HTTP 401)",
        "401, GatedRepo, 'owner/tiny: a gated model: ask for access at '",
        "403, GatedRepo, 'owner/tiny: a gated model: ask for access at '",
        "403, , denies access (HTTP 403): HF_TOKEN is not set",
        "418, , 'expected a file from '",
    })
    void deniedAccessSaysWhatIsNeeded(int status, String code, String expected) {
        hub.fault = exchange -> {
            FakeHub.error(exchange, status, code);
            return true;
        };
        Exception e = assertThrows(Exception.class, () -> get(ID));
        assertTrue(e.getMessage().contains(expected), e.getMessage());
        assertTrue(status == 418 || e.getMessage().contains("HF_TOKEN"), e.getMessage());
        assertEquals(1, hub.requests.size(), "a refusal is final");
    }

    @Test
    void failingServerIsAskedThreeTimes() throws Exception {
        hub.fault = exchange -> {
            if (hub.requests.size() > 2) {
                return false;
            }
            FakeHub.error(exchange, 502, null);
            return true;
        };
        assertModel(get(ID));
        hub.fault = exchange -> {
            FakeHub.error(exchange, 502, null);
            return true;
        };
        hub.requests.clear();
        assertTrue(notThere(new HubId("owner/other", "main")).contains(" cannot be reached: HTTP 502 from 127.0.0.1"));
        assertEquals(3, hub.requests.size());
    }
}
