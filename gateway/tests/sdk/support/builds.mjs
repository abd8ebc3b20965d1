// The builds of the JavaScript SDK.

import { Centrifuge } from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';

/** Each build: its client class, and what converts data, which is bytes in the Protobuf build. */
export const BUILDS = {
    JSON: { Build: Centrifuge, write: (data) => data, read: (data) => data },
    Protobuf: {
        Build: ProtobufCentrifuge,
        write: (data) => new TextEncoder().encode(JSON.stringify(data)),
        read: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
    },
};

/** The fallbacks with the builds that have them. */
export const FORMS = {
    'http_stream, JSON': { transport: 'http_stream', ...BUILDS.JSON },
    'http_stream, Protobuf': { transport: 'http_stream', ...BUILDS.Protobuf },
    'sse, JSON': { transport: 'sse', ...BUILDS.JSON },
};
