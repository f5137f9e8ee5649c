package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestIntegersBeyondFloatsStayExact(t *testing.T) {
	values, err := exactJSON([]byte(`{"big":9007199254740993,"huge":18446744073709551615,"small":1000000,"list":[-9007199254740993,1.5]}`))
	if err != nil {
		t.Fatal(err)
	}
	if values["big"] != int64(9007199254740993) || values["huge"] != uint64(18446744073709551615) || values["small"] != 1e6 {
		t.Errorf("%#v", values)
	}
	list := values["list"].([]any)
	if list[0] != int64(-9007199254740993) || list[1] != 1.5 {
		t.Errorf("%#v", list)
	}
}

func TestRedactionHidesEveryForm(t *testing.T) {
	hide := newRedaction()
	hide.addValues(map[string]any{"a": "pass\"word", "list": []any{"one-two", map[string]any{"n": 12345678.0}}, "short": "abc"})
	text := `pass"word pass\"word cGFzcyJ3b3Jk one-two b25lLXR3bw== 12345678 1.2345678e+07 abc`
	told := hide.apply(text)
	if told != `*** *** *** *** *** *** *** abc` {
		t.Error(told)
	}
}

func TestRedactionOfManySecretsTakesLittleTime(t *testing.T) {
	hide := newRedaction()
	for i := range 30_000 {
		hide.addText(fmt.Sprintf("value-of-%d-abc", i))
	}
	details := make([]detail, 400)
	for i := range details {
		details[i].Message = strings.Repeat("value-of-", 200) + fmt.Sprintf("%d-abc", i)
	}
	started := time.Now()
	told := hide.applyTo(&failure{Details: details})
	if took := time.Since(started); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if !strings.HasSuffix(told.Details[199].Message, "-***") {
		t.Error(told.Details[199].Message)
	}
}

func TestDocumentsKeepWithinTheirBytes(t *testing.T) {
	kept := newDocuments(100_000)
	for i := range 100 {
		kept.split("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a" + strings.Repeat("b", i) + "}\nx: " + strings.Repeat("c", 5000) + "\n")
	}
	if kept.bytes > 100_000 || len(kept.kept) != kept.recent.Len() || len(kept.kept) == 0 {
		t.Errorf("%d bytes in %d texts", kept.bytes, len(kept.kept))
	}
}
