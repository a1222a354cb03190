package mapping

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var names = map[Influence][]string{
	Positive: {
		"signup", "Sign Up", "SignUp", "signUp", "sign-up", "sign_up", "SIGN_UP", "SIGNUP", "Signed Up", "SignedUp", "signed_up", "signed-up", "step2SignedUp", "signedup", "signups", "Sign-Ups",
		"User Signed Up", "user.signed.up", "app:signed/up", "sign\u00a0up", "sign\u3000up", "Signing Up",
		"upgrade", "upgrades", "Upgraded", "UPGRADING", "Plan Upgraded", "planUpgraded", "Subscription Upgraded", "HTMLUpgrade", "upgradeHTML",
		"purchase", "Purchases", "Item Purchased", "purchasing", "In-App Purchase", "In-AppPurchase",
		"subscribe", "subscribes", "Subscribed", "subscribing", "Newsletter Subscribed",
		"convert", "converts", "Lead Converted", "converting", "Conversion", "conversions",
		"activate", "activates", "Workspace Activated", "activating", "Activation", "activations",
		"complete", "completes", "completed", "completing", "completion", "completions", "Onboarding Complete", "Checkout Step Completed", "ÉtapeCompleted", "注文 completed", "注文Completed",
		"order completed", "OrderCompleted", "order_completed", "ordercompleted", "ORDERCOMPLETED", "Order.Completed", "order/completed", "order:completed", "v2.order.completed", "order_2Completed",
		"Order Completed!", "(Order Completed)", "#signup", "completed?", "sign+up", "[sign] [up]", "✅Order Completed", "✅\ufe0fOrder Completed", "€Purchase", "purchase€", "“completed”", "upgraded, viewed", "sign–up", "completed\u200d", "complete…", "(completed)", "cart→completed",
	},
	Negative: {
		"churn", "churns", "Churned", "churning", "User Churned",
		"cancel", "cancels", "canceled", "cancelled", "canceling", "cancelling", "Cancellation", "cancellations", "cancelation", "Subscription Cancelled", "subscriptionCanceled",
		"unsubscribe", "unsubscribes", "Unsubscribed", "unsubscribing", "Email Unsubscribed", "un-subscribed", "UnSubscribe",
		"refund", "refunds", "Refunded", "refunding", "Order Refunded",
		"downgrade", "downgrades", "downgraded", "Downgrading",
		"delete", "deletes", "Account Deleted", "deleting", "Deletion", "deletions",
		"failed", "fail", "fails", "failing", "failure", "Failures", "Payment Failed", "payment_failed", "PAYMENT_FAILED", "paymentFailed",
		"error", "errors", "errored", "APIError", "HTTP.500.Error", "error.page",
		"payment failed!", "(refunded)", "*error*", "Order Completed (Refunded)", "cancel\u0000", "Upgrade Failed", "Unsubscribe Completed", "Failed Signup", "Order Completed Refunded", "purchase-error", "Cancel Completed",
	},
	Neutral: {
		"", "x", "Page Viewed", "Product Viewed", "Subscription", "Subscription Started", "subscriptions", "subscriber", "Deactivated", "deactivate", "incomplete", "Incompleted", "reactivated", "uncompleted",
		"Trial Started", "sign", "up", "Up Sign", "signet up", "design upload", "Signature Uploaded", "upgradeable", "repurchase", "purchaser", "converter", "terror", "mirror", "errand", "failover", "undeleted", "deleter", "completely",
		"orders", "order", "refundable", "prefunded", "cancelable", "churner", "Interactivate", "注文完了", "注文completed", "completedé", "completed\u0301", "注文\u3099completed", "٣completed", "Error404", "s3failed", "upgrade2", "2upgrade", "un2subscribe", "signedUp2", "über", "İptal", "signıng up",
	},
}

func influenceOf(name string) Influence {
	var w words
	return w.influence([]byte(name))
}

func TestInfluenceOfNames(t *testing.T) {
	for want, list := range names {
		for _, name := range list {
			require.Equal(t, want, influenceOf(name), name)
		}
	}
}

func TestSplit(t *testing.T) {
	for name, want := range map[string]string{
		"Order Completed": "order completed", "orderCompleted": "order completed", "HTMLExport": "html export", "exportHTML": "export html", "signedUp2": "signed up2", "step2Done": "step2 done", "a__b--c": "a b c", " x ": "x", "": "",
		"Café Ouvert": "café ouvert", "ÉcoleÉlue": "École Élue", "v2.0": "v2 0", "A": "a", "AB": "ab", "ABc": "a bc", "aBC": "a bc", "user:sign/up": "user sign up", "x\u2003y": "x y", "IDs": "i ds", "a,b;(c)": "a b c", "e\u0301te\u0301": "e\u0301te\u0301", "\u0301a": "a", "a٣B": "a٣ b", "注文+x": "注文 x",
	} {
		var w words
		w.split([]byte(name))
		var got []string
		start := 0
		for _, end := range w.ends {
			got = append(got, string(w.text[start:end]))
			start = end
		}
		require.Equal(t, want, strings.Join(got, " "), name)
	}
}

// TestEveryFormOfAKeywordCounts holds the list of words to each keyword of the public contract.
func TestEveryFormOfAKeywordCounts(t *testing.T) {
	for _, keyword := range strings.Fields("signup signed_up upgrade purchase subscribe convert activate complete order_completed") {
		require.Equal(t, Positive, influenceOf(keyword), keyword)
	}
	for _, keyword := range strings.Fields("churn cancel unsubscribe refund downgrade delete failed error") {
		require.Equal(t, Negative, influenceOf(keyword), keyword)
	}
	for word, influence := range keywords {
		require.Equal(t, influence, influenceOf(word), word)
		require.Equal(t, influence, influenceOf("Some "+word+" thing"), word)
		if word != "downgrade" && !strings.HasPrefix(word, "un") {
			require.Equal(t, Neutral, influenceOf("xq"+word), word)
		}
		require.Equal(t, Neutral, influenceOf(word+"xq"), word)
	}
}

// TestVariantsOfANameAgree writes one name in all the ways that senders have.
func TestVariantsOfANameAgree(t *testing.T) {
	vocabulary := strings.Fields("sign signed up order completed upgrade failed subscription page viewed user trial started refunded deactivated error in cart step payment")
	title := func(w string) string { return strings.ToUpper(w[:1]) + w[1:] }
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom(vocabulary), 1, 5).Draw(t, "words")
		var titles []string
		for _, p := range parts {
			titles = append(titles, title(p))
		}
		want := influenceOf(strings.Join(parts, " "))
		pascal := strings.Join(titles, "")
		for _, name := range []string{
			strings.Join(parts, "_"), strings.Join(parts, "-"), strings.Join(parts, "."), strings.Join(parts, "/"), strings.Join(parts, ":"), strings.Join(parts, "\u00a0"), strings.Join(parts, " - "), strings.Join(parts, "!"), "(" + strings.Join(parts, ") (") + ")", strings.Join(parts, "→"),
			strings.Join(titles, " "), strings.Join(titles, "-"), strings.ToUpper(strings.Join(parts, "_")), pascal, strings.ToLower(pascal[:1]) + pascal[1:],
		} {
			require.Equal(t, want, influenceOf(name), name)
		}
	})
}
