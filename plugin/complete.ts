import { z } from 'zod';
import { GROUP } from '../operator/api/v1alpha1/names.ts';
import { environmentNames, readApplication, readApplications } from './application.ts';
import { readCommandLine } from './command-line.ts';
import { COMMANDS, commandOf } from './commands/all.ts';
import { Kubectl } from './kubectl.ts';
import { PROMOTIONS } from './promotion.ts';

/** Of kubectl's completion: what is said is all there is, no file names. */
const NO_FILES = ':4';

const RESOURCES = { Environment: `environments.${GROUP}`, Promotion: PROMOTIONS };

/** What follows is a directory. */
const DIRECTORIES = ':16';

/**
 * What may stand where the cursor is, as kubectl asks `kubectl_complete-towpath` for it: a word a line, then what the
 * shell is to do.
 *
 * @param args all words after `kubectl towpath`, the last one being typed.
 */
export async function complete(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<string> {
  if (args.at(-2) === '--local') return `${DIRECTORIES}\n`;
  const begun = args.at(-1) ?? '';
  const words = await wordsFor(args.slice(0, -1), begun, environment).catch(() => []);
  return `${[...words.filter((word) => word.startsWith(begun)), NO_FILES].join('\n')}\n`;
}

async function wordsFor(
  before: readonly string[],
  begun: string,
  environment: NodeJS.ProcessEnv,
): Promise<string[]> {
  const { name, words, kubectlFlags } = readCommandLine(before);
  if (name === undefined) return Object.keys(COMMANDS);
  const command = commandOf(name);
  if (command === undefined) return [];
  if (begun.startsWith('-')) return command.flags.map((flag) => `--${flag}`);
  if (words.length >= command.words[1]) return [];
  const kubectl = new Kubectl(kubectlFlags, environment);
  if (command.first !== undefined) return namesOf(kubectl, RESOURCES[command.first]);
  const [application] = words;
  if (application === undefined)
    return (await readApplications(kubectl)).map(({ metadata }) => metadata.name);
  return environmentNames(await readApplication(kubectl, application));
}

const listSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

async function namesOf(kubectl: Kubectl, resource: string): Promise<string[]> {
  const { items } = listSchema.parse(await kubectl.json(['get', resource]));
  return items.map(({ metadata }) => metadata.name);
}
