/** The operator tells of a person so many characters of the name. */
const SHOWN = 40;

/** Whether a message names somebody: `Perhaps` where it does not name all. */
export type Named = 'Named' | 'Perhaps' | 'Not';

/**
 * Whether a gate of approvals counts somebody's decision, as its message has it in `blockedBy`: `1 of 2 approvals of
 * manifests … (by anna), by sre: …`, or `… holds back manifests …: rejected by anna, ben and 2 more. A newer commit …`.
 */
export function namedAs(decision: 'Approve' | 'Reject', message: string, name: string): Named {
  const listed = decision === 'Approve' ? listOfYes(message) : listOfNo(message);
  const shown = name.slice(0, SHOWN);
  // Not split: a name may have a comma in it.
  for (let at = listed.indexOf(shown); at !== -1; at = listed.indexOf(shown, at + 1)) {
    const [before, after] = [listed.slice(0, at), listed.slice(at + shown.length)];
    const begins = before === '' || before.endsWith(', ');
    if (begins && (after === '' || after.startsWith(', ') || /^ and \d+ more$/.test(after))) return 'Named';
  }
  return listed.endsWith(' more') || message.includes('…') ? 'Perhaps' : 'Not';
}

/** What stands in `(by …)`: behind it are the groups that are asked. */
function listOfYes(message: string): string {
  const [, behind = ''] = halves(message, '(by ');
  // A name may have brackets in it.
  const end = behind.search(/\)(?:, by |, not by |: kubectl |; to approve )/);
  return end === -1 ? behind : behind.slice(0, end);
}

function listOfNo(message: string): string {
  const [, behind = ''] = halves(message, 'rejected by ');
  return halves(behind, '. A newer commit')[0];
}

function halves(text: string, at: string): [string, string?] {
  const index = text.indexOf(at);
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + at.length)];
}
