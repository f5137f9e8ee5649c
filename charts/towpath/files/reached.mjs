// Whether a replica answers over the Service, and is Towpath: tried for a minute, for DNS and Pods that start.
const url = process.env.METRICS_URL;
const until = Date.now() + 60_000;
for (;;) {
  let said;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const text = await response.text();
    if (/^leader_election_master_status\{name="towpath",lease="[^"]*"\} [01]$/m.test(text)) break;
    said = `answered ${response.status} without leader_election_master_status`;
  } catch (error) {
    said = error.cause?.message ?? error.message;
  }
  if (Date.now() > until) {
    console.error(`${url}: ${said}. Look at the Pods and their logs: kubectl get pods, kubectl logs.`);
    process.exit(1);
  }
  await new Promise((resolve) => setTimeout(resolve, 1_000));
}
console.log(`${url} answers.`);
