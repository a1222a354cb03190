import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.camel.Exchange;
import org.apache.camel.Message;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.component.kafka.KafkaConstants;
import org.apache.camel.main.Main;

/**
 * A Camel route from platform-http to kafka. The body is cut by Jackson's streaming parser, which is much faster than a
 * split by JSONPath; the producer takes the list, sends a record for each and goes on when all are acknowledged.
 */
public class Edge {
    static final JsonFactory JSON = new JsonFactory();

    public static void main(String[] args) throws Exception {
        String host = args[0], port = args[1], broker = args[2], topic = args[3], options = args[4];
        Main main = new Main();
        main.addInitialProperty("camel.server.enabled", "true");
        main.addInitialProperty("camel.server.host", host);
        main.addInitialProperty("camel.server.port", port);
        main.addInitialProperty("camel.server.maxBodySize", "8388608");
        main.configure().addRoutesBuilder(new RouteBuilder() {
            public void configure() {
                from("platform-http:/in?matchOnUriPrefix=true&httpMethodRestrict=POST")
                    .process(Edge::split)
                    .to("kafka:" + topic + "?brokers=" + broker + "&requestRequiredAcks=all&recordMetadata=false"
                        + "&valueSerializer=org.apache.kafka.common.serialization.ByteArraySerializer&" + options)
                    .process(Edge::answer);
            }
        });
        main.run();
    }

    static void split(Exchange exchange) throws IOException {
        Message in = exchange.getMessage();
        String path = in.getHeader(Exchange.HTTP_PATH, String.class);
        byte[] body = in.getBody(byte[].class);
        in.removeHeaders("*");
        in.setHeader(KafkaConstants.KEY, path.substring(path.lastIndexOf('/') + 1));
        List<byte[]> messages = messages(body);
        exchange.setProperty("received", messages.size());
        in.setBody(messages);
    }

    static List<byte[]> messages(byte[] body) throws IOException {
        List<byte[]> messages = new ArrayList<>();
        boolean batch = false;
        try (JsonParser p = JSON.createParser(body)) {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw new IOException("the body is no object");
            }
            while (p.nextToken() == JsonToken.FIELD_NAME) {
                String name = p.currentName();
                if (!name.equals("batch") || p.nextToken() != JsonToken.START_ARRAY) {
                    if (p.currentToken() == JsonToken.FIELD_NAME) {
                        p.nextToken();
                    }
                    p.skipChildren();
                    continue;
                }
                batch = true;
                while (p.nextToken() != JsonToken.END_ARRAY) {
                    int start = (int) p.currentTokenLocation().getByteOffset();
                    p.skipChildren();
                    messages.add(Arrays.copyOfRange(body, start, (int) p.currentLocation().getByteOffset()));
                }
            }
        }
        if (!batch) {
            messages.add(body);
        }
        return messages;
    }

    static void answer(Exchange exchange) {
        Message out = exchange.getMessage();
        out.removeHeaders("*");
        out.setBody("{\"received\":" + exchange.getProperty("received") + "}");
    }
}
