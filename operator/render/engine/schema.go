package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// validateValues checks the values against the schemas of the chart and its subcharts, as Helm does, but
// returns every error, and refuses schemas that refer to files of the machine or to the network.
func validateValues(c *chart.Chart, values map[string]any, dir string) error {
	var details []detail
	if err := collectSchemaErrors(c, values, dir, "", &details); err != nil {
		return err
	}
	if len(details) == 0 {
		return nil
	}
	messages := make([]string, 0, len(details))
	for _, d := range details {
		messages = append(messages, d.Message)
	}
	const shown = 5
	if len(messages) > shown {
		messages = append(messages[:shown], fmt.Sprintf("and %d more", len(details)-shown))
	}
	return &failure{
		Reason:  "ValuesInvalid",
		Message: fmt.Sprintf("The values do not fit the schema of chart %s: %s. Correct the values.", c.Name(), strings.Join(messages, "; ")),
		Details: details,
	}
}

func collectSchemaErrors(c *chart.Chart, values map[string]any, dir, prefix string, details *[]detail) error {
	file := path.Join(dir, "values.schema.json")
	if c.Schema != nil {
		found, err := schemaErrors(c.Name(), c.Schema, values)
		if err != nil {
			return fail("ChartInvalid", "The schema of chart %s cannot be used: %s. Correct values.schema.json.", c.Name(), err).at(file, 0)
		}
		for _, text := range found {
			*details = append(*details, detail{File: file, Message: prefix + text})
		}
	}
	for _, child := range c.Dependencies() {
		raw, ok := values[child.Name()]
		if !ok || raw == nil {
			continue
		}
		table, ok := raw.(map[string]any)
		if !ok {
			*details = append(*details, detail{File: file, Message: fmt.Sprintf("%s%s is not a map", prefix, child.Name())})
			continue
		}
		if err := collectSchemaErrors(child, table, path.Join(dir, "charts", child.Name()), prefix+child.Name()+": ", details); err != nil {
			return err
		}
	}
	return nil
}

// schemaErrors returns a sentence for each violation; an error where the schema itself is none.
func schemaErrors(chartName string, schemaText []byte, values map[string]any) (found []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it cannot be checked: %v", r)
		}
	}()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		return nil, err
	}
	for _, address := range dropRemote(schema) {
		log.Printf("values.schema.json of chart %s refers to %s, which is not fetched: what it says of the values is not checked", chartName, address)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(refusingLoader{})
	const url = "file:///values.schema.json"
	if err := compiler.AddResource(url, schema); err != nil {
		return nil, err
	}
	validator, err := compiler.Compile(url)
	if err != nil {
		return nil, err
	}
	err = validator.Validate(values)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return leaves(invalid, message.NewPrinter(language.English)), nil
	}
	return nil, err
}

func leaves(e *jsonschema.ValidationError, printer *message.Printer) []string {
	if len(e.Causes) == 0 {
		at := "values"
		if len(e.InstanceLocation) > 0 {
			at = strings.Join(e.InstanceLocation, ".")
		}
		return []string{at + ": " + e.ErrorKind.LocalizedString(printer)}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, leaves(cause, printer)...)
	}
	return all
}

// refusingLoader refuses every reference that leaves the schema (S7). Helm's reads files and URLs; for urn: it
// allows anything, as here.
type refusingLoader struct{}

func (refusingLoader) Load(url string) (any, error) {
	if strings.HasPrefix(url, "urn:") {
		return true, nil
	}
	return nil, fmt.Errorf("it refers to %s; a schema may refer only to itself, so copy that one into values.schema.json", url)
}
