/** Runs in a container: serves the repositories below /repositories to whoever reaches it. */
import { startGitHttp } from '../harness/git-http.ts';

const server = await startGitHttp({ root: '/repositories', host: '0.0.0.0', port: 8080 });
console.log(`listening on ${server.port}`);
process.on('SIGTERM', () => process.exit());
