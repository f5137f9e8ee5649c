import {
  APPLICATION_LINES,
  type ApplicationLine,
  LOG_FIELDS,
} from '../../operator/observe/application-log.ts';
import { code, GENERATED, table } from './markdown.ts';

/** The reference page of what is logged at level info about Applications. */
export function logsPage(): string {
  const lines = Object.values<ApplicationLine>(APPLICATION_LINES).map(({ says, when, fields }) => [
    says,
    when,
    fields.map(code).join(', '),
  ]);
  const fields = Object.entries(LOG_FIELDS).map(([name, holds]) => [code(name), holds]);
  return `${GENERATED}
# Logs
The operator logs one JSON object a line to standard output: ${code('level')}, ${code('time')}, the sentence in ${code('msg')}, and what it is about in fields of its own. ${code('--log-level')} says what is logged; at ${code('info')} that is, besides what the process itself does, one line for each thing that happened to an Application, as soon as its status says it. An Application at rest is not logged.

${table(['msg', 'when', 'fields, besides `application`'], lines)}

## Fields
${code('application')} is ${code('<namespace>/<name>')}. A line has no other texts than these, so that no value of a Secret can be in it; why something failed stands in the Application's status and in its events.

${table(['field', 'holds'], fields)}

At ${code('warn')} and ${code('error')} the operator tells what goes wrong with itself: the API server out of reach, a Lease that is not renewed, a look that failed, a defect. What is wrong with an Application alone is told there, and not logged as an error.
`;
}
