package dev.prefix4j.hub;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models of a hub in the cache. */
class HubTest extends HubFixture {
    @Test
    void layOutIsThatOfHuggingFace() throws Exception {
        hub.files.put("generation_config.json", "{}".getBytes(StandardCharsets.UTF_8));
        Path folder = get(ID);
        assertEquals(repository().resolve("snapshots").resolve(FakeHub.COMMIT), folder);
        assertModel(folder);
        assertEquals(FakeHub.COMMIT, Files.readString(repository().resolve("refs/main")));
        Path link = folder.resolve("model.safetensors");
        assertEquals(
                Path.of("../../blobs", blob("model.safetensors").getFileName().toString()),
                Files.readSymbolicLink(link));
        assertTrue(Files.isSymbolicLink(folder.resolve("generation_config.json")));
        assertTrue(Files.exists(home.resolve(
                "hub/.locks/models--owner--tiny/" + blob("model.safetensors").getFileName() + ".lock")));
        assertEquals(4, blobs().size());
        assertTrue(blobs().stream().allMatch(name -> name.matches("[0-9a-f]{40}|[0-9a-f]{64}")));
    }

    @Test
    void whatChangesATokenizerComesAlong() throws Exception {
        for (String part : List.of("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")) {
            hub.files.put(part, ("{\"of\": \"" + part + "\"}").getBytes(StandardCharsets.UTF_8));
        }
        Path folder = get(ID);
        assertModel(folder);
        assertEquals(
                List.of(
                        "added_tokens.json",
                        "config.json",
                        "model.safetensors",
                        "special_tokens_map.json",
                        "tokenizer.json",
                        "tokenizer_config.json"),
                hub.downloads());
        hub.requests.clear();
        assertEquals(folder, get(ID, "HF_HUB_OFFLINE", "1"));
        assertEquals(List.of(), hub.requests);
    }

    @Test
    void partsOfATokenizerThatTheModelLacksAreNoErrorAndNotAskedForAgain() throws Exception {
        hub.files.put("added_tokens.json", "{\"<|sep|>\": 300}".getBytes(StandardCharsets.UTF_8));
        Path folder = get(ID);
        assertModel(folder);
        assertFalse(Files.exists(folder.resolve("tokenizer_config.json")));
        assertFalse(Files.exists(folder.resolve("special_tokens_map.json")));
        assertEquals(
                1,
                hub.paths("HEAD").stream()
                        .filter(path -> path.endsWith("/tokenizer_config.json"))
                        .count());
        hub.requests.clear();
        get(ID);
        assertEquals(List.of("/owner/tiny/resolve/main/config.json"), hub.paths("HEAD"));
        assertEquals(List.of(), hub.downloads());
    }

    @Test
    void oversizedPartOfATokenizerIsRefusedUnread() {
        hub.files.put("tokenizer_config.json", new byte[(16 << 20) + 1]);
        assertEquals(
                "owner/tiny: tokenizer_config.json: expected at most 16,777,216 bytes, found 16,777,217", refused(ID));
        assertFalse(hub.downloads().contains("tokenizer_config.json"));
    }

    @Test
    void secondTimeOnlyTheRevisionIsAsked() throws Exception {
        Path folder = get(ID);
        hub.requests.clear();
        assertEquals(folder, get(ID));
        assertEquals(1, hub.requests.size());
        assertEquals("/owner/tiny/resolve/main/config.json", hub.paths("HEAD").getFirst());
        assertEquals(folder, get(at(FakeHub.COMMIT)));
        assertEquals(1, hub.requests.size(), "a commit is not asked for");
    }

    @Test
    void revisionThatMovesOnIsFollowedAndUnchangedFilesStay() throws Exception {
        get(ID);
        hub.revisions.put("main", FakeHub.NEXT_COMMIT);
        hub.files.put("config.json", "{\"new\": 1}".getBytes(StandardCharsets.UTF_8));
        hub.requests.clear();
        Path folder = get(ID);
        assertEquals(FakeHub.NEXT_COMMIT, folder.getFileName().toString());
        assertModel(folder);
        assertEquals(List.of("config.json"), hub.downloads());
        assertEquals(FakeHub.NEXT_COMMIT, Files.readString(repository().resolve("refs/main")));
    }

    @Test
    void namesARevision() throws Exception {
        hub.revisions.put("v1", FakeHub.NEXT_COMMIT);
        hub.revisions.put("refs/pr/7", FakeHub.NEXT_COMMIT);
        assertEquals(FakeHub.NEXT_COMMIT, get(at("v1")).getFileName().toString());
        assertEquals(FakeHub.NEXT_COMMIT, get(at("refs/pr/7")).getFileName().toString());
        assertEquals(FakeHub.NEXT_COMMIT, Files.readString(repository().resolve("refs/refs/pr/7")));
        assertTrue(hub.paths("HEAD").contains("/owner/tiny/resolve/refs%2Fpr%2F7/config.json"));
        assertEquals(FakeHub.COMMIT, get(at(FakeHub.COMMIT)).getFileName().toString());
        assertFalse(Files.exists(repository().resolve("refs").resolve(FakeHub.COMMIT)));
        assertEquals(
                "owner/tiny@v9: " + hub.endpoint().substring(7) + " has no revision 'v9' of this model",
                refused(at("v9")));
    }

    @Test
    void withoutANetworkTheCacheIsUsedAndSaysSo() throws Exception {
        Path folder = get(ID);
        Map<String, String> environment = hub.environment(home);
        hub.close();
        assertEquals(folder, get(environment, ID));
        assertTrue(heard.getLast()
                .endsWith("cannot be reached (the connection was refused); using the copy in the cache"));
        String message = assertThrows(NotOnHubException.class, () -> get(environment, at("v1")))
                .getMessage();
        assertTrue(message.endsWith(" cannot be reached: the connection was refused"), message);
    }

    @Test
    void brokenUpdateFallsBackToWhatIsWhole() throws Exception {
        Path folder = get(ID);
        hub.revisions.put("main", FakeHub.NEXT_COMMIT);
        hub.files.put("config.json", "{\"new\": 1}".getBytes(StandardCharsets.UTF_8));
        hub.fault = exchange -> {
            if (!FakeHub.is(exchange, "GET", "config.json")) {
                return false;
            }
            FakeHub.error(exchange, 500, null);
            return true;
        };
        assertEquals(folder, get(ID));
        assertEquals(FakeHub.COMMIT, Files.readString(repository().resolve("refs/main")));
    }

    @Test
    void offlineNothingIsAsked() throws Exception {
        assertEquals(
                "not all of its files are in " + home.resolve("hub") + ", and HF_HUB_OFFLINE is set",
                notThere(ID, "HF_HUB_OFFLINE", "1"));
        assertEquals(List.of(), hub.requests);
        Path folder = get(ID);
        hub.requests.clear();
        assertEquals(folder, get(ID, "HF_HUB_OFFLINE", "true"));
        assertEquals(folder, get(at(FakeHub.COMMIT), "HF_HUB_OFFLINE", "1"));
        Files.delete(folder.resolve("tokenizer.json"));
        assertTrue(notThere(ID, "HF_HUB_OFFLINE", "1").startsWith("not all of its files are in "));
        assertEquals(List.of(), hub.requests);
    }

    @Test
    void whatTransformersDownloadedIsUsed() throws Exception {
        // As its client leaves it: a ref, blobs, links, and .no_exist for what the model does not have.
        Path blobs = Files.createDirectories(repository().resolve("blobs"));
        Path snapshot =
                Files.createDirectories(repository().resolve("snapshots").resolve(FakeHub.COMMIT));
        Files.createDirectories(repository().resolve(".no_exist").resolve(FakeHub.COMMIT));
        Files.writeString(Files.createDirectories(repository().resolve("refs")).resolve("main"), FakeHub.COMMIT);
        for (String file : List.of("config.json", "model.safetensors", "vocab.json", "merges.txt")) {
            Files.copy(MODEL.resolve(file), blobs.resolve("blob-of-" + file));
            Files.createSymbolicLink(snapshot.resolve(file), Path.of("../../blobs/blob-of-" + file));
        }
        assertEquals(snapshot, get(ID));
        assertEquals(snapshot, get(ID, "HF_HUB_OFFLINE", "1"));
        assertEquals(List.of(), hub.downloads());
        assertFalse(Files.exists(home.resolve("hub/.locks")), "a cache that others own may be read-only");
        Files.delete(blobs.resolve("blob-of-config.json")); // now the link leads nowhere
        assertModel(get(ID));
        assertEquals(List.of("config.json", "tokenizer.json"), hub.downloads());
    }

    @ParameterizedTest
    @ValueSource(strings = {"snapshots/COMMIT/config.json", "snapshots/COMMIT/special_tokens_map.json", "refs/main"})
    void aLinkThatLeavesTheCacheIsRefusedUnread(String place) throws Exception {
        get(ID);
        Path secret = Files.writeString(home.resolve("secret"), "root:secret:0");
        Path link = repository().resolve(place.replace("COMMIT", FakeHub.COMMIT));
        Files.deleteIfExists(link);
        Files.createSymbolicLink(link, secret);
        String message = refused(ID, "HF_HUB_OFFLINE", "1");
        assertTrue(message.startsWith(link + ": expected a file in the cache, found a link that leaves "), message);
        assertFalse(message.contains("root:secret"), message);
    }

    @Test
    void blobsMayBeLinkedToAnotherDisk() throws Exception {
        get(ID);
        Path disk = Files.move(repository().resolve("blobs"), home.resolve("disk"));
        Files.createSymbolicLink(repository().resolve("blobs"), disk);
        assertModel(get(ID, "HF_HUB_OFFLINE", "1"));
    }

    @Test
    void aPipeForALockIsRefused() throws Exception {
        Path lock = home.resolve("hub/.locks/models--owner--tiny")
                .resolve(blob("model.safetensors").getFileName() + ".lock");
        Files.createDirectories(lock.getParent());
        assertEquals(0, new ProcessBuilder("mkfifo", lock.toString()).start().waitFor());
        assertEquals(lock + ": expected a lock file, found a named pipe", refused(ID));
    }

    @Test
    void cacheMayBeElsewhere() throws Exception {
        Path cache = home.resolve("elsewhere");
        assertTrue(get(ID, "HF_HUB_CACHE", cache.toString()).startsWith(cache.resolve("models--owner--tiny")));
        Path xdg = home.resolve("xdg");
        Map<String, String> environment = hub.environment(home, "XDG_CACHE_HOME", xdg.toString(), "HF_HOME", "");
        assertTrue(get(environment, ID).startsWith(xdg.resolve("huggingface/hub")));
    }

    @Test
    void shardsAreThoseOfTheIndex() throws Exception {
        byte[] weights = hub.files.remove("model.safetensors");
        String first = "model-00001-of-00002.safetensors";
        String second = "model-00002-of-00002.safetensors";
        hub.files.put(first, Arrays.copyOf(weights, 500));
        hub.files.put(second, Arrays.copyOf(weights, 700));
        hub.files.put("model.safetensors.index.json", index(first, second, first));
        Path folder = get(ID);
        assertModel(folder);
        assertEquals(folder, get(ID, "HF_HUB_OFFLINE", "1"));
        Files.delete(folder.resolve(second));
        assertTrue(notThere(ID, "HF_HUB_OFFLINE", "1").startsWith("not all of its files are in "));
        hub.files.remove(second);
        assertTrue(refused(ID)
                .startsWith("owner/tiny: expected " + second + ", which model.safetensors.index.json names"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../../x.safetensors", "/etc/x.safetensors", "config.json", ".safetensors", ""})
    void shardThatIsNotAPlainNameIsRefused(String shard) {
        hub.files.remove("model.safetensors");
        hub.files.put("model.safetensors.index.json", index(shard));
        assertTrue(refused(ID).endsWith("expected plain names of safetensors files, found '" + shard + "'"));
    }

    private static byte[] index(String... shards) {
        StringBuilder json = new StringBuilder("{\"weight_map\": {");
        for (int i = 0; i < shards.length; i++) {
            json.append(i == 0 ? "" : ", ").append("\"t%d\": \"%s\"".formatted(i, shards[i]));
        }
        return json.append("}}").toString().getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void malformedRefIsRefused() throws Exception {
        Files.writeString(Files.createDirectories(repository().resolve("refs")).resolve("main"), "../../..");
        assertTrue(refused(ID, "HF_HUB_OFFLINE", "1").contains("refs/main: commit: expected "));
    }

    @Test
    void checkEndsTheDownloadBeforeTheWeights() {
        Hub checked = new Hub(new HubEnvironment(hub.environment(home)), listener, SHORT);
        InputException e = assertThrows(
                InputException.class,
                () -> checked.model(ID, folder -> {
                    assertTrue(Files.exists(folder.resolve("config.json")));
                    throw new InputException("another kind of model");
                }));
        assertEquals("another kind of model", e.getMessage());
        assertEquals(List.of("config.json"), hub.downloads());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"ftp://huggingface.co", "huggingface.co", "https://", "https://user:word@host", "http://a b"})
    void endpointMustBeAnAddress(String endpoint) {
        assertTrue(refused(ID, "HF_ENDPOINT", endpoint).startsWith("HF_ENDPOINT: expected an address such as "));
    }

    @Test
    void tokenIsNeverShown() {
        String message = refused(ID, "HF_TOKEN", "hf_sec\nret");
        assertTrue(message.startsWith("HF_TOKEN: expected an access token"), message);
        assertFalse(message.contains("ret"), message);
        assertFalse(
                new HubEnvironment(Map.of("HF_TOKEN", "hf_secret")).toString().contains("hf_secret"));
    }
}
