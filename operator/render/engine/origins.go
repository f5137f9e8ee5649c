package main

import (
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/resource"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// Where Kustomize notes, for buildMetadata, what an object is from and what changed it.
const (
	originAnnotation         = "config.kubernetes.io/origin"
	transformationAnnotation = "alpha.config.kubernetes.io/transformations"
)

var (
	ofBase  = regexp.MustCompile(`^(?:\.\./)*\.git/bases/([0-9a-f]{16})/?`)
	ofChart = regexp.MustCompile(`\.git/helm-\d+\.yaml$`)
)

// nameOrigins tells the URLs of repositories, and what inflates a chart, where Kustomize was shown files in their place.
func (r *repository) nameOrigins(o *resource.Resource) error {
	annotations := o.GetAnnotations()
	changed := false
	if text, ok := annotations[originAnnotation]; ok && strings.Contains(text, ".git/") {
		var origin resource.Origin
		if yaml.Unmarshal([]byte(text), &origin) == nil {
			r.nameOrigin(&origin)
			annotations[originAnnotation], _ = origin.String()
			changed = true
		}
	}
	if text, ok := annotations[transformationAnnotation]; ok && strings.Contains(text, ".git/") {
		var all resource.Transformations
		if yaml.Unmarshal([]byte(text), &all) == nil {
			for _, origin := range all {
				r.nameOrigin(origin)
			}
			annotations[transformationAnnotation], _ = all.String()
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return o.SetAnnotations(annotations)
}

func (r *repository) nameOrigin(origin *resource.Origin) {
	for _, at := range []*string{&origin.Path, &origin.ConfiguredIn} {
		match := ofBase.FindStringSubmatch(*at)
		if match == nil {
			continue
		}
		if base := r.bases[basesFolder[1:]+match[1]]; base != nil {
			origin.Repo, origin.Ref = base.Repository, base.Ref
			*at = strings.TrimPrefix(*at, match[0])
		}
	}
	if ofChart.MatchString(origin.Path) {
		origin.ConfiguredIn = path.Join(ofChart.ReplaceAllString(origin.Path, ""), "kustomization.yaml")
		origin.Path = ""
		origin.ConfiguredBy = kyaml.ResourceIdentifier{TypeMeta: kyaml.TypeMeta{APIVersion: "builtin", Kind: "HelmChartInflationGenerator"}}
	}
}
