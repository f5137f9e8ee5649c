/** That nothing new enters an Environment. @param until as its status has it: a time, or `lifted` */
export function frozenText(environment: string, until: string): string {
  const how = until === 'lifted' ? 'its freeze is lifted' : until;
  return `Environment ${environment} is frozen until ${how}: nothing new enters it.`;
}
