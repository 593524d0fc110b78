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
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * Reads {@link DataFormat#WEBNLG}, and DART's XML, which has the same form: {@code benchmark/entries/entry} with
 * {@code modifiedtripleset/mtriple} and {@code lex}. Document type declarations, and with them entities, are refused.
 */
final class TripleXmlReader {
    private static final XMLInputFactory XML = factory();

    private TripleXmlReader() {}

    private static XMLInputFactory factory() {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        return factory;
    }

    static List<Example> read(Path file, InputStream in, DataOptions options, boolean dart) {
        List<Example> examples = new ArrayList<>();
        BoundedStream bounded = new BoundedStream(in, "an entry", DataFile.MAX_ENTRY_BYTES, file.toString());
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
                    throw new InputException(location(file, xml) + ": expected no document type declaration, found one");
                }
                if (event == XMLStreamConstants.START_ELEMENT) {
                    if (root && !xml.getLocalName().equals("benchmark")) {
                        throw new InputException("%s: expected the element <benchmark> of WebNLG or DART, found <%s>"
                                .formatted(location(file, xml), Excerpt.of(xml.getLocalName())));
                    }
                    root = false;
                    if (xml.getLocalName().equals("entry")) {
                        bounded.restart(location(file, xml));
                        examples.add(entry(file, xml, options.layout(), dart, examples.size()));
                    }
                }
            }
            return examples;
        } catch (XMLStreamException e) {
            if (e.getNestedException() instanceof CharacterCodingException) {
                throw new InputException(file + ": expected UTF-8, found other bytes", e);
            }
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNumber();
            String reason = String.valueOf(e.getMessage()).lines().reduce((_, last) -> last).orElse("");
            throw new InputException(
                    "%s:%d: invalid XML: %s"
                            .formatted(file, line, Excerpt.ofReason(reason.replaceFirst("^Message: ", ""))),
                    e);
        }
    }

    private static Example entry(Path file, XMLStreamReader xml, Layout layout, boolean dart, int index)
            throws XMLStreamException {
        String id = xml.getAttributeValue(null, "eid");
        String location = location(file, xml) + (id == null ? "" : ": entry " + Excerpt.of(id));
        List<String> triples = new ArrayList<>();
        List<String> targets = new ArrayList<>();
        while (true) {
            int event = xml.next();
            if (event == XMLStreamConstants.END_ELEMENT && xml.getLocalName().equals("entry")) {
                break;
            }
            if (event != XMLStreamConstants.START_ELEMENT) {
                continue;
            }
            switch (xml.getLocalName()) {
                case "mtriple" -> triples.add(layout.triple(parts(location, xml.getElementText()), dart));
                case "lex" -> {
                    String text = xml.getElementText().strip();
                    if (!text.isEmpty()) { // DART's test set has an empty one
                        targets.add(text);
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
        return new Example(dart ? layout.dartSource(triples) : layout.webNlgSource(triples, index), targets, location);
    }

    private static List<String> parts(String location, String text) {
        String[] parts = text.split("\\|", -1);
        if (parts.length != 3) {
            throw new InputException("%s: <mtriple>: expected subject | predicate | object, found '%s'"
                    .formatted(location, Excerpt.of(text.strip())));
        }
        return List.of(parts);
    }

    private static String location(Path file, XMLStreamReader xml) {
        return file + ":" + xml.getLocation().getLineNumber();
    }
}
