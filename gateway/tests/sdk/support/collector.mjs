// A fake OpenTelemetry collector. It receives OTLP over HTTP in protobuf and stores the spans and points (opentelemetry-proto 1.x, only the
// fields that tests use).

import { once } from 'node:events';
import { createServer } from 'node:http';
import protobuf from 'protobufjs';

const { root } = protobuf.parse(`
    syntax = "proto3";
    message Traces { repeated ResourceSpans resource_spans = 1; }
    message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
    message ScopeSpans { repeated Span spans = 2; }
    message Span {
        bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6; repeated KeyValue attributes = 9;
        repeated Link links = 13;
    }
    message Link { bytes trace_id = 1; bytes span_id = 2; }
    message Metrics { repeated ResourceMetrics resource_metrics = 1; }
    message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
    message ScopeMetrics { repeated Metric metrics = 2; }
    message Metric { string name = 1; Points gauge = 5; Points sum = 7; }
    message Points { repeated Point data_points = 1; }
    message Point { double as_double = 4; sfixed64 as_int = 6; repeated KeyValue attributes = 7; }
    message Resource { repeated KeyValue attributes = 1; }
    message KeyValue { string key = 1; AnyValue value = 2; }
    message AnyValue { string string_value = 1; }
`);

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

function decode(type, bytes) {
    const message = root.lookupType(type);
    return message.toObject(message.decode(bytes), { longs: Number, arrays: true, defaults: true });
}

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const spanIds = ({ traceId, spanId }) => ({ trace: hex(traceId), id: hex(spanId) });
const attributes = (list) => Object.fromEntries(list.map(({ key, value }) => [key, value?.stringValue]));
const service = ({ resource }) => attributes(resource.attributes)['service.name'];

export class Collector {
    /** Received spans: `{ service, name, kind, trace, id, parent, links, attributes }`. */
    spans = [];
    /** Received points, in order of arrival: `{ service, name, value }`. */
    points = [];

    /** Starts a collector that listens at `url`. It is closed after the test. */
    static async start(t) {
        const collector = new Collector();
        const server = createServer(async (request, response) => {
            const chunks = [];
            for await (const chunk of request) chunks.push(chunk);
            const isValid = collector.#receive(request, Buffer.concat(chunks));
            response.writeHead(isValid ? 200 : 400, { 'content-type': 'application/x-protobuf' }).end();
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => server.close());
        collector.url = `http://127.0.0.1:${server.address().port}`;
        return collector;
    }

    /** Stores a request. Returns false if it is not a valid export request. */
    #receive({ method, url, headers }, bytes) {
        if (method !== 'POST' || headers['content-type'] !== 'application/x-protobuf') return false;
        if (url === '/v1/traces') this.#traces(decode('Traces', bytes));
        else if (url === '/v1/metrics') this.#metrics(decode('Metrics', bytes));
        else return false;
        return true;
    }

    #traces({ resourceSpans }) {
        for (const resource of resourceSpans) {
            for (const span of resource.scopeSpans.flatMap((scope) => scope.spans)) {
                this.spans.push({
                    service: service(resource),
                    name: span.name,
                    kind: KINDS[span.kind],
                    ...spanIds(span),
                    parent: hex(span.parentSpanId),
                    links: span.links.map(spanIds),
                    attributes: attributes(span.attributes),
                });
            }
        }
    }

    #metrics({ resourceMetrics }) {
        for (const resource of resourceMetrics) {
            for (const { name, sum, gauge } of resource.scopeMetrics.flatMap((scope) => scope.metrics)) {
                for (const { asInt, asDouble } of (sum ?? gauge)?.dataPoints ?? []) {
                    this.points.push({ service: service(resource), name, value: asInt || asDouble });
                }
            }
        }
    }

    /** Returns the latest value of a series without labels. */
    value(service, name) {
        return this.points.filter((point) => point.service === service && point.name === name).at(-1)?.value;
    }
}
