package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import javax.xml.stream.Location;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * Reads {@link DataFormat#WEBNLG}, and DART's XML, which has the same form: {@code benchmark/entries/entry} with
 * {@code modifiedtripleset/mtriple} and {@code lex}; the enriched release has {@code lex/text}, the delexicalized one
 * {@code otriple}. Document type declarations, and so entities, are rejected.
 */
final class TripleXmlReader {
    private static final String ENGLISH = "en";
    private static final XMLInputFactory XML = factory();

    private TripleXmlReader() {}

    private static XMLInputFactory factory() {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        return factory;
    }

    /** A text and its language, "" if the file does not say. */
    private record Text(String language, String text) {}

    /** An entry with its texts in all languages. */
    record Entry(String source, List<Text> texts, String location) {}

    /**
     * The entries with the texts of one language.
     *
     * @param name of the file or folder, for messages
     * @throws InputException if no text is in the language, or there are several languages but not English
     */
    static List<Example> inOneLanguage(String name, List<Entry> entries, DataOptions options) {
        Set<String> languages = new TreeSet<>();
        entries.forEach(entry -> entry.texts().forEach(text -> languages.add(text.language())));
        languages.remove("");
        String wanted = options.language()
                .orElse(languages.size() == 1 ? languages.iterator().next() : ENGLISH);
        if (!languages.isEmpty() && !languages.contains(wanted)) {
            throw new InputException("%s: expected texts in the language %s, found %s (--lang selects one)"
                    .formatted(name, Excerpt.of(wanted), Excerpt.of(String.join(", ", languages))));
        }
        List<Example> examples = new ArrayList<>();
        for (Entry entry : entries) {
            List<String> targets = entry.texts().stream()
                    .filter(text -> text.language().isEmpty() || text.language().equals(wanted))
                    .map(Text::text)
                    .toList();
            if (!targets.isEmpty() || entry.texts().isEmpty()) {
                examples.add(new Example(entry.source(), targets, entry.location()));
            }
        }
        if (languages.size() > 1 && options.language().isEmpty()) {
            options.remarks()
                    .accept("%s: texts in %s: only %s is read (--lang selects another)"
                            .formatted(name, Excerpt.of(String.join(", ", languages)), wanted));
        }
        if (examples.size() < entries.size()) {
            options.remarks()
                    .accept("%s: %,d entries have no text in %s and are skipped"
                            .formatted(name, entries.size() - examples.size(), wanted));
        }
        return examples;
    }

    static List<Entry> read(Path path, InputStream in, DataOptions options, boolean dart) {
        String file = path.toString();
        HeapBudget budget = new HeapBudget();
        List<Entry> examples = new ArrayList<>();
        BoundedStream bounded = new BoundedStream(in, "an entry", DataFile.MAX_ENTRY_BYTES, file);
        try {
            XMLStreamReader xml = XML.createXMLStreamReader(new InputStreamReader(
                    bounded,
                    StandardCharsets.UTF_8
                            .newDecoder()
                            .onMalformedInput(CodingErrorAction.REPORT)
                            .onUnmappableCharacter(CodingErrorAction.REPORT)));
            boolean root = true;
            while (examples.size() < options.limit() && xml.hasNext()) {
                int event = xml.next();
                if (event == XMLStreamConstants.DTD) {
                    throw new InputException(
                            location(file, xml) + ": expected no document type declaration, found one");
                }
                if (event == XMLStreamConstants.START_ELEMENT) {
                    if (root && !xml.getLocalName().equals("benchmark")) {
                        throw new InputException("%s: expected the element <benchmark> of WebNLG or DART, found <%s>"
                                .formatted(location(file, xml), Excerpt.of(xml.getLocalName())));
                    }
                    root = false;
                    if (xml.getLocalName().equals("entry")) {
                        bounded.restart(location(file, xml));
                        Entry entry = entry(file, xml, options, dart, examples.size());
                        budget.take(
                                entry.location(),
                                entry.source(),
                                entry.texts().stream().map(Text::text).toList());
                        examples.add(entry);
                    }
                }
            }
            return examples;
        } catch (XMLStreamException e) {
            if (e.getNestedException() instanceof CharacterCodingException) {
                throw new InputException(file + ": expected UTF-8, found other bytes", e);
            }
            Location at = e.getLocation();
            throw new InputException(
                    ("%s:%d: invalid XML: expected well-formed elements, found something else at column %d"
                                    + " (an unmatched end tag, a truncated file, a bare & or <?)")
                            .formatted(
                                    file, at == null ? 1 : at.getLineNumber(), at == null ? 1 : at.getColumnNumber()),
                    e);
        }
    }

    private static Entry entry(String file, XMLStreamReader xml, DataOptions options, boolean dart, int index)
            throws XMLStreamException {
        String id = xml.getAttributeValue(null, "eid");
        String location = location(file, xml) + (id == null ? "" : ": entry " + Excerpt.of(id));
        List<String> triples = new ArrayList<>();
        List<Text> texts = new ArrayList<>();
        boolean modified = false;
        while (true) {
            int event = xml.next();
            if (event == XMLStreamConstants.END_ELEMENT) {
                if (xml.getLocalName().equals("entry")) {
                    break;
                }
                modified &= !xml.getLocalName().equals("modifiedtripleset");
            }
            if (event != XMLStreamConstants.START_ELEMENT) {
                continue;
            }
            switch (xml.getLocalName()) {
                case "modifiedtripleset" -> modified = true;
                case "mtriple" -> triples.add(options.layout().triple(parts(location, xml.getElementText()), dart));
                case "otriple" -> {
                    if (modified) { // as in the delexicalized release
                        triples.add(options.layout().triple(parts(location, xml.getElementText()), dart));
                    }
                }
                case "lex" -> {
                    String language = xml.getAttributeValue(null, "lang");
                    String text = lex(location, xml).strip();
                    if (!text.isEmpty() && options.targets()) { // DART's test set has an empty one
                        texts.add(new Text(language == null ? "" : language.strip(), text));
                    }
                }
                default -> {
                    // Original triples and sets: their children come next.
                }
            }
        }
        if (triples.isEmpty()) {
            throw new InputException(location + ": expected at least one <mtriple>, found none");
        }
        String source =
                dart ? options.layout().dartSource(triples) : options.layout().webNlgSource(triples, index);
        return new Entry(source, texts, location);
    }

    /** The text of a {@code lex}, or of the {@code text} in it, beside which the enriched release has templates and references. */
    private static String lex(String location, XMLStreamReader xml) throws XMLStreamException {
        StringBuilder own = new StringBuilder();
        String text = null;
        boolean children = false;
        for (int depth = 0; ; ) {
            switch (xml.next()) {
                case XMLStreamConstants.START_ELEMENT -> {
                    children = true;
                    if (depth == 0 && xml.getLocalName().equals("text")) {
                        text = xml.getElementText();
                    } else {
                        depth++;
                    }
                }
                case XMLStreamConstants.END_ELEMENT -> {
                    if (depth-- == 0) {
                        if (text == null && children) {
                            throw new InputException(
                                    location + ": <lex>: expected a text or the element <text>, found other elements");
                        }
                        return text == null ? own.toString() : text;
                    }
                }
                case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA -> {
                    if (depth == 0) {
                        own.append(xml.getText());
                    }
                }
                default -> {
                    // Comments and processing instructions are ignored.
                }
            }
        }
    }

    private static List<String> parts(String location, String text) {
        String[] parts = text.split("\\|", -1);
        if (parts.length != 3) {
            throw new InputException("%s: <mtriple>: expected subject | predicate | object, found '%s'"
                    .formatted(location, Excerpt.of(text.strip())));
        }
        return List.of(parts);
    }

    private static String location(String file, XMLStreamReader xml) {
        return file + ":" + xml.getLocation().getLineNumber();
    }
}
