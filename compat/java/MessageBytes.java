import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Random messages as Kafka's own classes encode them, one a line, in hexadecimal.
 *
 * <p>Arguments: a seed, and how many messages of each version. Reads lines from standard input:
 *
 * <ul>
 *   <li>{@code message NAME VERSION} prints {@code NAME VERSION HEX}
 *   <li>{@code headers KEY VERSION} prints the headers of a request and of its response
 *   <li>{@code errors} prints the error codes: {@code error NAME CODE RETRIABLE}
 * </ul>
 *
 * <p>A random tree of values is written by the schema of the version, read by the message's class, and
 * written again by it, which leaves out the tagged fields that have their default.
 */
public final class MessageBytes {
    private static final int BYTES_MAX = 64;
    private static final int BUFFER_BYTES = 1 << 22;

    private final Random random;
    private final int count;
    private final PrintStream out;

    private MessageBytes(long seed, int count, PrintStream out) {
        this.random = new Random(seed);
        this.count = count;
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        try (PrintStream out = new PrintStream(System.out, false, "UTF-8")) {
            MessageBytes self =
                new MessageBytes(Long.parseLong(args[0]), Integer.parseInt(args[1]), out);
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                switch (words[0]) {
                    case "message" -> self.messages(words[1], Short.parseShort(words[2]));
                    case "headers" -> self.headers(Short.parseShort(words[1]), Short.parseShort(words[2]));
                    case "errors" -> self.errors();
                    default -> throw new IllegalArgumentException(line);
                }
            }
        }
    }

    private void messages(String name, short version) throws Exception {
        Class<?> type = classOf(name);
        Schema schema = ((Schema[]) type.getField("SCHEMAS").get(null))[version];
        for (int index = 0; index < count; index++) {
            ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES);
            schema.write(buffer, struct(schema));
            buffer.flip();
            Message message =
                (Message)
                    type.getConstructor(Readable.class, short.class)
                        .newInstance(new ByteBufferAccessor(buffer), version);
            print(name, version, version, message);
        }
    }

    private void headers(short key, short version) {
        ApiKeys api = ApiKeys.forId(key);
        RequestHeaderData request =
            new RequestHeaderData()
                .setRequestApiKey(key)
                .setRequestApiVersion(version)
                .setCorrelationId(random.nextInt())
                .setClientId(random.nextInt(4) == 0 ? null : string());
        short requestVersion = api.requestHeaderVersion(version);
        print("request-" + key, version, requestVersion, request);
        ResponseHeaderData response = new ResponseHeaderData().setCorrelationId(request.correlationId());
        short responseVersion = api.responseHeaderVersion(version);
        print("response-" + key, version, responseVersion, response);
    }

    private void errors() {
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            out.println("error " + error.name() + " " + error.code() + " " + retriable);
        }
    }

    private void print(String name, short version, short encoding, Message message) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        byte[] bytes = new byte[message.size(cache, encoding)];
        message.write(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), cache, encoding);
        out.println(name + " " + version + " " + HexFormat.of().formatHex(bytes));
    }

    private static Class<?> classOf(String name) throws ClassNotFoundException {
        String path = "org.apache.kafka.common.message." + name;
        return Class.forName(name.startsWith("ConsumerProtocol") ? path : path + "Data");
    }

    private Struct struct(Schema schema) {
        Struct struct = new Struct(schema);
        for (BoundField field : schema.fields()) struct.set(field, value(field.def.type));
        return struct;
    }

    private Object value(Type type) {
        if (type.isNullable() && random.nextInt(4) == 0) return null;
        if (type.isArray()) {
            Object[] elements = new Object[random.nextInt(4)];
            Type element = type.arrayElementType().orElseThrow();
            for (int index = 0; index < elements.length; index++) elements[index] = value(element);
            return elements;
        }
        if (type instanceof TaggedFields tagged) {
            Map<Integer, Object> values = new TreeMap<>();
            fieldsOf(tagged).forEach((tag, field) -> {
                if (random.nextBoolean()) values.put(tag, value(field.type));
            });
            return values;
        }
        if (type instanceof Schema schema) return struct(schema);
        String name = ((Type.DocumentedType) type).typeName().replace("COMPACT_", "").replace("NULLABLE_", "");
        return switch (name) {
            case "BOOLEAN" -> random.nextBoolean();
            case "INT8" -> (byte) integer();
            case "INT16" -> (short) integer();
            case "UINT16" -> integer() & 0xffff;
            case "INT32" -> integer();
            case "INT64" -> longInteger();
            case "FLOAT64" -> random.nextGaussian();
            case "UUID" -> random.nextInt(4) == 0 ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
            case "STRING" -> string();
            case "BYTES" -> ByteBuffer.wrap(bytes());
            case "RECORDS" -> records();
            default -> throw new IllegalArgumentException(name);
        };
    }

    /** They have a public getter in the newest Kafka only. */
    @SuppressWarnings("unchecked")
    private static Map<Integer, Field> fieldsOf(TaggedFields tagged) {
        try {
            java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
            fields.setAccessible(true);
            return (Map<Integer, Field>) fields.get(tagged);
        } catch (ReflectiveOperationException cause) {
            throw new IllegalStateException(cause);
        }
    }

    private int integer() {
        return switch (random.nextInt(4)) {
            case 0 -> random.nextInt(3) - 1;
            case 1 -> random.nextBoolean() ? Integer.MAX_VALUE : Integer.MIN_VALUE;
            default -> random.nextInt();
        };
    }

    /** Within what a JavaScript number holds, or the largest one, which stands for "no limit". */
    private long longInteger() {
        return switch (random.nextInt(4)) {
            case 0 -> random.nextInt(3) - 1;
            case 1 -> random.nextBoolean() ? (1L << 53) - 1 : 1 - (1L << 53);
            case 2 -> Long.MAX_VALUE;
            default -> random.nextLong() >> 11;
        };
    }

    private String string() {
        int length = random.nextInt(8) == 0 ? 100 + random.nextInt(100) : random.nextInt(12);
        boolean ascii = random.nextBoolean();
        StringBuilder text = new StringBuilder();
        for (int index = 0; index < length; index++) {
            int point = ascii ? 0x20 + random.nextInt(0x5f) : random.nextInt(0x10ffff);
            boolean surrogate = point >= 0xd800 && point < 0xe000;
            text.appendCodePoint(surrogate ? 0xe9 : point);
        }
        return text.toString();
    }

    /** Read from bytes, since the class has another package in each Kafka. */
    private Object records() {
        byte[] bytes = bytes();
        ByteBuffer buffer = ByteBuffer.allocate(4 + bytes.length).putInt(bytes.length).put(bytes);
        return Type.RECORDS.read(buffer.flip());
    }

    private byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(BYTES_MAX)];
        random.nextBytes(bytes);
        return bytes;
    }
}
