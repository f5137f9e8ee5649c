/**
 * Deployment tools, by how their field managers begin: the name of the program, where none is given. What they set
 * was somebody's wish, and not a controller's that goes on setting it.
 */
const TOOLS =
  /^(kubectl|helm|Helm|before-first-apply|Go-http-client|argocd|kustomize|helm-controller|flux|terraform|Terraform|HashiCorp|pulumi|kapp|werf|skaffold|tanka|ansible|OpenAPI-Generator|python-requests|curl|Mozilla|k9s|Lens|OpenLens|Headlamp|headlamp|rancher|fleet|oc$|node-fetch|unknown|towpath-)/;

/** What controllers are named like. */
const CONTROLLERS = /^kube-|^system:|cert-manager|controller|operator|scaler|inject|webhook|admission/i;

/** Whether the field manager is kubectl or another tool with which people deploy. */
export function isDeploymentTool(manager: string): boolean {
  return TOOLS.test(manager);
}

/**
 * Whether an entry of managedFields is a controller's, which goes on deciding what it set: an autoscaler's, which
 * writes through `scale`, or whoever is named like one. A status is always a controller's.
 */
export function isController(manager: string, subresource = ''): boolean {
  if (subresource === 'scale') return !isDeploymentTool(manager);
  return subresource !== '' || (CONTROLLERS.test(manager) && !isDeploymentTool(manager));
}
