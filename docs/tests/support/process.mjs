// Runs the commands of the pages.

import { spawn } from 'node:child_process';

/** The longest time that a command may take, in milliseconds. Some download packages. */
const TIME_LIMIT = 120_000;

/** Starts commands in a shell of its own process group. `output` grows while they run; `ended` and `stop` resolve to the exit code. */
export function start(commands, { folder, environment = {} }) {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', commands], {
        cwd: folder,
        // A registry need not answer what `npm install` asks it about vulnerabilities.
        env: { ...process.env, npm_config_audit: 'false', ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
    });
    const running = {
        output: '',
        errors: '',
        get hasEnded() {
            return child.exitCode !== null || child.signalCode !== null;
        },
        stop(signal = 'SIGKILL') {
            try {
                process.kill(-child.pid, signal);
            } catch (error) {
                if (error.code !== 'ESRCH') throw error;
            }
            return running.ended;
        },
    };
    child.stdout.setEncoding('utf8').on('data', (text) => (running.output += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (running.errors += text));
    running.ended = new Promise((resolve, reject) => child.on('error', reject).on('close', (code, signal) => resolve(code ?? signal)));
    return running;
}

/** Runs commands to their end. Resolves to their output. Fails if one fails. */
export async function run(commands, options) {
    const running = start(commands, options);
    const timer = setTimeout(() => running.stop(), TIME_LIMIT);
    const code = await running.ended.finally(() => clearTimeout(timer));
    if (code !== 0) throw new Error(`${commands}\nended with ${code}:\n${running.output}${running.errors}`);
    return running.output;
}
