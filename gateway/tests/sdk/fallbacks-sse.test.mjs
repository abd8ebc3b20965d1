// The cases of WebSocket over the SDK's fallback sse. They are registered together, before the first of them runs.

import './capabilities.test.mjs?sse';
import './closes.test.mjs?sse';
import './commands.test.mjs?sse';
import './drain.test.mjs?sse';
import './encodings.test.mjs?sse';
import './frames.test.mjs?sse';
import './pressure.test.mjs?sse';
import './recovery.test.mjs?sse';
import './server-side.test.mjs?sse';
import './sizes.test.mjs?sse';
import './state.test.mjs?sse';
import './tokens.test.mjs?sse';
