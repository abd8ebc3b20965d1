// The cases of WebSocket over the SDK's fallback http_stream. They are registered together, before the first of them runs.

import './capabilities.test.mjs?http_stream';
import './closes.test.mjs?http_stream';
import './commands.test.mjs?http_stream';
import './drain.test.mjs?http_stream';
import './encodings.test.mjs?http_stream';
import './frames.test.mjs?http_stream';
import './pressure.test.mjs?http_stream';
import './recovery.test.mjs?http_stream';
import './server-side.test.mjs?http_stream';
import './sizes.test.mjs?http_stream';
import './state.test.mjs?http_stream';
import './tokens.test.mjs?http_stream';
