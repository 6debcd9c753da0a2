// Bessel functions and kin: j0 j1 y0 y1, i0 i1 k0 k1 (and scaled by exp), airy_ai, spherical j0.
// float goes through double. Branch-free, but for airy_ai, spherical j0 and J and Y of huge
// arguments: polynomials and Chebyshev sums in a variable that maps an interval, or [a, inf), to
// [-1, 1].
#pragma once

#include <math.h>

#include <utility>

#include "elementary.h"

namespace rl::math {

// How many of the coefficients count for T.
template <class T, int N>
constexpr int terms(const double (&c)[N]) {
  double least = sizeof(T) == sizeof(float) ? 0x1p-33 : 0.0;
  int n = N;
  while (c[n - 1] < least && -c[n - 1] < least) --n;
  return n;
}
// One step of Clenshaw's recurrence. A loop of these would stop vectorisation.
struct Clenshaw {
  double t, b1 = 0.0, b2 = 0.0;
  int step(double c) {
    double b = mad(t + t, b1, c - b2);
    b2 = b1;
    b1 = b;
    return 0;
  }
  double sum(double c) const { return mad(t, b1, c - b2); }
};
// sum of c[k] T_k(t), or of d[k] T_k(t) where `second`; C and D are the arrays' types.
template <class T, const auto& c, const auto& d>
static inline double chebyshev_sum(double t, bool second) {
  constexpr int m = terms<T>(c), n = terms<T>(d), most = m > n ? m : n;
  Clenshaw s{t};
  [&]<int... K>(std::integer_sequence<int, K...>) {
    auto at = [second](auto k) {
      constexpr int i = most - 1 - decltype(k)::value;
      constexpr double first = i < m ? c[i < m ? i : 0] : 0.0,
                       other = i < n ? d[i < n ? i : 0] : 0.0;
      return second ? other : first;
    };
    (s.step(at(std::integral_constant<int, K>{})), ...);
  }(std::make_integer_sequence<int, most - 1>{});
  return s.sum(second ? d[0] : c[0]);
}
template <class T, const auto& c>
static inline double chebyshev_sum(double t) {
  return chebyshev_sum<T, c, c>(t, false);
}

// exp(-x) sqrt(x) I_n(x) in 16/x - 1 from 8 on.
inline constexpr double kI0Large[] = {
    0.402245205507054416,     0.00336911647825569409,   0.0000688975834691682398,
    2.89137052083475648e-6,   2.04891858946906374e-7,   2.26666899049817806e-8,
    3.39623202570838635e-9,   4.94060238822496959e-10,  1.18891471078464383e-11,
    -3.14991652796324136e-11, -1.32158118404477131e-11, -1.79417853150680612e-12,
    7.18012445138366623e-13,  3.8527783827421427e-13,   1.54008621752140983e-14,
    -4.15056934728722209e-14, -9.55484669882830765e-15, 3.81168066935262242e-15,
    1.77256013305652638e-15,  -3.42548561967721913e-16, -2.82762398051658348e-16,
    3.46122286769746109e-17,  4.46562142029676e-17,     -4.83050448594418207e-18,
    -7.23318048787475395e-18};
inline constexpr double kI1Large[] = {
    0.38928811750914006,      -0.00976109749136146841,  -0.000110588938762623716,
    -3.88256480887769039e-6,  -2.51223623787020893e-7,  -2.63146884688951951e-8,
    -3.83538038596423702e-9,  -5.58974346219658381e-10, -1.89749581235054123e-11,
    3.25260358301548824e-11,  1.41258074366137813e-11,  2.03562854414708951e-12,
    -7.19855177624590851e-13, -4.08355111109219732e-13, -2.10154184277266431e-14,
    4.27244001671195135e-14,  1.04202769841288028e-14,  -3.8144030724370078e-15,
    -1.88035477551078245e-15, 3.30820231092092828e-16,  2.96262899764595014e-16,
    -3.20952592199342396e-17, -4.65030536848935833e-17, 4.41434832307170795e-18,
    7.51729631084210481e-18};
// K_n(x) less its logarithmic part, in x^2/2 - 1, up to 2; exp(x) sqrt(x) K_n(x) in 4/x - 1 beyond.
inline constexpr double kK0Small[] = {-0.267663696616951384,    0.344289899924628487,
                                      0.0359799365153615016,    0.00126461541144692592,
                                      0.0000228621210311945179, 2.53479107902614946e-7,
                                      1.90451637722020886e-9,   1.03496952576336246e-11,
                                      4.25981614279108258e-14,  1.3744654358807509e-16};
inline constexpr double kK0Large[] = {
    1.22015154103297773,      -0.0314481013119645005,   0.00156988388573005337,
    -0.000128495495816278026, 0.0000139498137188764994, -1.83175552271911948e-6,
    2.76681363944501508e-7,   -4.66048989768794767e-8,  8.57403401741422609e-9,
    -1.69753450938906152e-9,  3.57739728140032845e-10,  -7.95748924447739704e-11,
    1.85594911495492655e-11,  -4.51459788337451918e-12, 1.14034058820734423e-12,
    -2.98009692314817835e-13, 8.03289077506837437e-14,  -2.22751332674629636e-14,
    6.34007647627664597e-15,  -1.84859337792090717e-15, 5.51205599940433336e-16,
    -1.67823112575490064e-16, 5.21039177764355411e-17,  -1.64758059398426328e-17};
inline constexpr double kK1Small[] = {
    0.762650113669473885,     -0.353155960776544876,    -0.122611180822657148,
    -0.00697572385963986435,  -0.000173028895751305206, -2.43340614156596823e-6,
    -2.21338763073472586e-8,  -1.41148839263352776e-10, -6.66690169419932901e-13,
    -2.42744985051936593e-15, -7.0238634793862876e-18};
inline constexpr double kK1Large[] = {
    1.36031309524222133,      0.103923736576817238,      -0.00285781685962277939,
    0.000195215518471351631,  -0.0000193619797416608296, 2.40648494783721712e-6,
    -3.50196060308781254e-7,  5.74108412545004929e-8,    -1.0345762465678097e-8,
    2.01504975519703462e-9,   -4.19035475934192558e-10,  9.21831518760531413e-11,
    -2.12996783842779102e-11, 5.13963967348234354e-12,   -1.28917396094982294e-12,
    3.34841966605224312e-13,  -8.97670518201014607e-14,  2.47715442421959868e-14,
    -7.01983708921476885e-15, 2.03870316623986088e-15,   -6.05704727064301782e-16,
    1.83809357524304543e-16,  -5.68946284919364837e-17,  1.79405104788635729e-17};
// Ai on [-3, 1]; its envelopes in the inverse of (2/3)|x|^(3/2) to the right and left of that.
inline constexpr double kAiryMiddle[] = {
    0.153430913514885057,      0.234351520981361093,     -0.328815340361593055,
    0.0431648551215189067,     0.053911179869691251,     -0.0223424963623499819,
    0.000127607012291582538,   0.00190398369961862429,   -0.000441782652209309717,
    -0.0000206095009052670404, 0.0000268442119184291312, -4.09914767958450634e-6,
    -3.39380269238405022e-7,   2.02792858111614777e-7,   -2.18387917630506402e-8,
    -2.51753388210928815e-9,   9.53059212073643556e-10,  -7.46362765384503037e-11,
    -1.12024989058365401e-11,  3.0520125610994773e-12,   -1.75003696888099351e-13,
    -3.37302228052454379e-14,  7.08167241406928278e-15,  -2.93013093293792936e-16,
    -7.37248286746904972e-17,  1.24452623241671532e-17};
inline constexpr double kAiryRight[] = {
    0.96376836098496889,      -0.0324160001944859252,   0.00319412396136958355,
    -0.0004942254050330157,   0.0000970651794254659462, -0.0000222444451120029813,
    5.69483898792034309e-6,   -1.58683970390298675e-6,  4.73116099116600242e-7,
    -1.49146792685371257e-7,  4.92820123945434708e-8,   -1.69559486608279131e-8,
    6.04332245918630218e-9,   -2.22208624859797657e-9,  8.40080833010141301e-10,
    -3.25649804979001669e-10, 1.29133381281874967e-10,  -5.22787219141949599e-11,
    2.15711201805596854e-11,  -9.05822190980450429e-12, 3.86614271817948972e-12,
    -1.67527740939030563e-12, 7.36266363413378583e-13,  -3.27895530789883625e-13,
    1.47856938738976867e-13,  -6.74592722770989893e-14, 3.1120984679855729e-14,
    -1.45084419860074113e-14, 6.83141656731561185e-15,  -3.24720755685844885e-15,
    1.55748183415504703e-15,  -7.5347628345166801e-16,  3.67522340228383577e-16,
    -1.80680710633734151e-16, 8.94975618550186081e-17,  -4.46528818390057027e-17,
    2.24338193599912738e-17,  -1.13463752544101538e-17, 5.77568464849170754e-18};
inline constexpr double kAiryP[] = {
    0.998569962631091242,     -0.00139519957690537169,  0.0000326784150640024645,
    -1.9404091544431854e-6,   1.88693307955583866e-7,   -2.50813983959403536e-8,
    4.14766523533031619e-9,   -8.07083946535944582e-10, 1.78279248056995634e-10,
    -4.3617052732019037e-11,  1.16118542736576492e-11,  -3.31977808727985383e-12,
    1.00897710123672451e-12,  -3.23414246380143139e-13, 1.08633978346356408e-13,
    -3.80393559863853515e-14, 1.38255393686832092e-14,  -5.19678543995160606e-15,
    2.01396562263702009e-15,  -8.02575410998411394e-16, 3.28128074479580885e-16,
    -1.37359722681632037e-16, 5.87725387634965303e-17,  -2.56636083224798992e-17,
    1.14207142210655508e-17,  -5.17331431120530168e-18};
inline constexpr double kAiryQ[] = {
    0.068075344742563724,     -0.00130838545827725927,  0.0000555176303557202215,
    -4.54476586594654587e-6,  5.46542871280018935e-7,   -8.49063298528918198e-8,
    1.58636088972570444e-8,   -3.41073847728459244e-9,  8.19529208427213303e-10,
    -2.15597040077895156e-10, 6.11753312335789561e-11,  -1.85118548714323206e-11,
    5.92173419816908235e-12,  -1.98859013800793616e-12, 6.97091370140505181e-13,
    -2.5390352457349191e-13,  9.57203089338409382e-14,  -3.72288771501750639e-14,
    1.48966655952394057e-14,  -6.11776093046274422e-15, 2.57328885447504242e-15,
    -1.1065951356139462e-15,  4.85734685806047853e-16,  -2.17322619712053347e-16,
    9.89825782205933154e-17,  -4.58427418909052127e-17, 2.15674962592159002e-17,
    -1.02978891739025814e-17, 4.9860332894829616e-18,   -2.44620145708758075e-18,
    1.21523282748171753e-18,  -6.10917145872581675e-19};

// J_0(x), J_1(x) / x and the same of Y_n less (2/pi) (log(x) J_n(x) - n/x), in x^2/32 - 1, up to 8.
inline constexpr double kJ0Small[] = {
    0.15772797147489012,      -0.00872344235285222129,  0.26517861320333681,
    -0.370094993872649779,    0.158067102332097261,     -0.0348937694114088852,
    0.0048191800694676045,    -0.000460626166206275048, 0.0000324603288210050808,
    -1.76194690776215075e-6,  7.60816359241878187e-8,   -2.6792535305576729e-9,
    7.84869631447946442e-11,  -1.94383468673701657e-12, 4.12532059563437393e-14,
    -7.58850812544754634e-16, 1.2218515873961411e-17};
inline constexpr double kJ1Small[] = {
    0.0810448463256581151,   -0.148975145067652109,     0.160999262357209703,
    -0.0826804917668179066,  0.0222136396549660354,     -0.00364694060076927596,
    0.000405033772835482183, -0.0000325555486685725852, 1.98587740499151674e-6,
    -9.52198475675043618e-8, 3.68713375909714824e-9,    -1.17802662269588484e-10,
    3.16015458034800332e-12, -7.22175523965177343e-14,  1.42321440035139423e-15,
    -2.44419729161904639e-17};
inline constexpr double kY0Small[] = {
    -0.0331461132032849417,   -0.274474305529745265,   0.179034314077182663,
    0.261567346255046637,     -0.177302012781143582,   0.0471966895957633869,
    -0.00728796247955207918,  0.000753113593257774228, -0.0000563207914105698698,
    3.20653253765480098e-6,   -1.44072332740186995e-7, 5.24879478733051612e-9,
    -1.58375525418120151e-10, 4.02633081830612075e-12, -8.74734120331076955e-14,
    1.6434898714919469e-15,   -2.69778811525668356e-17};
inline constexpr double kY1Small[] = {
    0.00253801323574178173,   -0.0160871730476687502,   -0.0959120453608307425,
    0.0844519725965234584,    -0.0283281239445943656,   0.00528989754416711301,
    -0.000641455145132635599, 0.0000550598287333874384, -3.5380800186893499e-6,
    1.77078045561544034e-7,   -7.11055004989927978e-9,  2.34433790591151639e-10,
    -6.46515184141159424e-12, 1.51429151205001995e-13,  -3.05118596944732527e-15,
    5.34668038572867012e-17};
// Beyond, J_n + i Y_n is (P_n + i Q_n / x) exp(i (x - pi/4 - n pi/2)) / sqrt(x / 2), P and Q in
// 128/x^2 - 1.
inline constexpr double kBesselP0[] = {
    0.563885118270871568,     -0.000302700150155735736, 1.73498722460300779e-6,
    -2.91719557886628775e-8,  9.19993749164227449e-10,  -4.43683843910488371e-11,
    2.91587980398407359e-12,  -2.42859855997167785e-13, 2.44102025051008104e-14,
    -2.85989623557507813e-15, 3.80719205314507923e-16,  -5.64839175832593699e-17,
    9.19962978184948089e-18,  -1.62535468441736099e-18};
inline constexpr double kBesselQ0[] = {
    -0.0702116090521162712,   0.000308657737480407425, -3.34654621660144583e-6,
    8.11189853604918362e-8,   -3.28219137921192085e-9, 1.90475905593265568e-10,
    -1.44737079359594629e-11, 1.35682861308503744e-12, -1.50585728756456124e-13,
    1.92060291468645696e-14,  -2.753213632512328e-15,  4.36101801595208455e-16,
    -7.53128334748056727e-17, 1.40291113230885703e-17, -2.79437043021242484e-18};
inline constexpr double kBesselP1[] = {
    0.564699069794494024,     0.000507200699542423907,  -2.24958426897934404e-6,
    3.48535673156638304e-8,   -1.05610126218518467e-9,  4.97440238293253041e-11,
    -3.21862464147155566e-12, 2.65123716074740374e-13,  -2.64279026593408922e-14,
    3.07634237882077428e-15,  -4.07411501212561415e-16, 6.01859907883382946e-17,
    -9.76742678364899231e-18, 1.72038280049365067e-18};
inline constexpr double kBesselQ1[] = {
    0.211132321648374033,     -0.000434548907176948695, 4.12472922927124725e-6,
    -9.46023226427043279e-8,  3.71426012516891271e-9,   -2.11519806206870235e-10,
    1.58659986241006775e-11,  -1.47335432069397688e-12, 1.62341110594399881e-13,
    -2.05872887138789299e-14, 2.93752436125021352e-15,  -4.63499685549585979e-16,
    7.97825251302729138e-17,  -1.48199152745024198e-17, 2.94465490145482549e-18};

// For double up to 5 J_n is a product of its zeros, each in two words, and a polynomial; beyond, P
// and Q are polynomials in 50/x^2 - 1.
inline constexpr double kJ0Zeros[] = {0x1.33d152e971b40p+1, -0x1.0f539d7da2590p-53,
                                      0x1.6148f5b2c2e45p+2, 0x1.75054cd60a500p-54};
inline constexpr double kJ1Zeros[] = {0x1.ea75575af6f09p+1, -0x1.60155a9d1b250p-53,
                                      0x1.c0ff5f3b47250p+2, -0x1.b226d9d243840p-54};
static inline double j0_rest(double t) {
  return horner(t, 0x1.a1c5e862f307ap-9, -0x1.f799f81a24dedp-10, 0x1.ff5f552d941ccp-12,
                -0x1.2ab4ba4dd3febp-14, 0x1.cc073a3fdff28p-18, -0x1.f9558f6abe6c7p-22,
                0x1.a13bed409f0aap-26, -0x1.0cdec1ea2a9a8p-30, 0x1.1648c63a6a57ep-35,
                -0x1.d91d1d019dc2fp-41, 0x1.505b3872f2753p-46, -0x1.960b59bdff2e4p-52,
                0x1.a5b54fed1eb14p-58, -0x1.7c63fb68d5858p-64);
}
static inline double j1_rest(double t) {
  return horner(t, 0x1.c55f67750a6b7p-12, -0x1.b6fd6da036426p-13, 0x1.72eee8d97b795p-15,
                -0x1.7223792a41c16p-18, 0x1.f0b5f2cbdb8c5p-22, -0x1.e2f3904d6bb81p-26,
                0x1.656be7f8e1fefp-30, -0x1.a1301d04cbed1p-35, 0x1.8a6deac044778p-40,
                -0x1.34810eeb40c2fp-45, 0x1.962199e277a78p-51, -0x1.c85d592be69eep-57,
                0x1.bb39bf6c352a7p-63, -0x1.7770e75efdd78p-69);
}
static inline double bessel_p0(double t) {
  return horner(
      t, 0x1.20787fafb7103p-1, -0x1.88ab69defd389p-11, 0x1.4a82c553076f1p-16,
      -0x1.748ec71fcc6f9p-20, 0x1.688e77811e973p-23, -0x1.ed034626b2405p-26, 0x1.acc2173fe5bcep-28,
      -0x1.bd2c59597b96dp-30, 0x1.08ccac12beb3cp-31, -0x1.61cffd7c02aabp-33, 0x1.0333b83254e31p-34,
      -0x1.5f3951e8d97e2p-36, 0x1.f3c29da3af927p-38, -0x1.0eb5a289f470ap-37, 0x1.4bceae69820fdp-38,
      0x1.0f2f4898b2f7ep-39, -0x1.c2f0a3d893215p-40, -0x1.62fde9f1bd084p-40, 0x1.c7858577201e3p-41);
}
static inline double bessel_q0(double t) {
  return horner(
      t, -0x1.1daa135616ea0p-4, 0x1.84bddc1142f27p-11, -0x1.2bff1c1150309p-15,
      0x1.d873be88d0894p-19, -0x1.1d05b286833ebp-21, 0x1.c94301a4b4c84p-24, -0x1.c1bac3b77bd68p-26,
      0x1.01af37dbabde6p-27, -0x1.4c9a7f7c09109p-29, 0x1.dec07bd998809p-31, -0x1.76dd08542d8e7p-32,
      0x1.f1ebade8411c7p-34, -0x1.544af3bfa2c73p-35, 0x1.0241d8a205c31p-34, -0x1.53864c9bdf069p-35,
      -0x1.42176238c9d56p-36, 0x1.0a87f62845c88p-36, 0x1.7660daee58400p-37, -0x1.f0964907a2f28p-38);
}
static inline double bessel_p1(double t) {
  return horner(
      t, 0x1.2186d9615b74ep-1, 0x1.4b828dc1b0f5dp-10, -0x1.b15bca0fd71b0p-16, 0x1.c31b8fcedb5f1p-20,
      -0x1.a406001633f62p-23, 0x1.18af412ddfc17p-25, -0x1.e0e1fb13b25e2p-28, 0x1.edef00d0f4f60p-30,
      -0x1.236cbb88e9bffp-31, 0x1.82ce9a6015944p-33, -0x1.19d2227c781aap-34, 0x1.7da5ccd2f6c2cp-36,
      -0x1.0f98e5155adc1p-37, 0x1.20dbd1a0c3520p-37, -0x1.607f6d0259d9fp-38, -0x1.1d1be2b854008p-39,
      0x1.da8825b3e24e2p-40, 0x1.782241801dbd7p-40, -0x1.e1c15ff75c065p-41);
}
static inline double bessel_q1(double t) {
  return horner(
      t, 0x1.af0a9ee0a4b11p-3, -0x1.13cf29f8ebbffp-10, 0x1.75cc5a921673cp-15,
      -0x1.170a863106dc0p-18, 0x1.47181025f51f6p-21, -0x1.01aa79cdbbc0bp-23, 0x1.f48e0e199b0bfp-26,
      -0x1.1c3160550dc28p-27, 0x1.6c404b051a5a3p-29, -0x1.0494c4d6e6682p-30, 0x1.96025dc903b65p-32,
      -0x1.0e10e757de6bcp-33, 0x1.725180f63c97cp-35, -0x1.12a924cfd7aaap-34, 0x1.67abb9f7e51ebp-35,
      0x1.52a280aa50f83p-36, -0x1.1847bf73664e0p-36, -0x1.8bf52c8f2a0f4p-37, 0x1.06268e25d8fdap-37);
}

// I_0(x) and I_1(x) / x in z = x^2/4, for x <= 8.
static inline double i0_curve(double z) {
  return horner(z, 1.0, 1.0, 0x1.0000000000002p-2, 0x1.c71c71c71c6dfp-6, 0x1.c71c71c71cbe1p-10,
                0x1.23456789a8318p-14, 0x1.02e85c08d260ap-19, 0x1.522a43f155552p-25,
                0x1.522a444603fe2p-31, 0x1.0b312ee43b7c5p-37, 0x1.5601c7e411b36p-44,
                0x1.69c76363ac35fp-51, 0x1.41b6c17a09391p-58, 0x1.e56f7ffb05c87p-66,
                0x1.46a4446d3e276p-73, 0x1.31d00bad6ba1ap-81, 0x1.20d247d00eeebp-88);
}
static inline double i1_curve(double z) {
  return horner(z, 0.5, 0.25, 0x1.5555555555556p-5, 0x1.c71c71c71c70fp-9, 0x1.6c16c16c16d20p-13,
                0x1.845c8a0ce3807p-18, 0x1.27e4fb77a30bbp-23, 0x1.522a43f427f3bp-29,
                0x1.2c9758fda3036p-35, 0x1.ab81e74959342p-42, 0x1.f176cf1f1237fp-49,
                0x1.e260acd0c17e6p-56, 0x1.8be972f0e252ep-63, 0x1.159f90570389ap-70,
                0x1.5ac53da80dc82p-78, 0x1.38dbeef3ff4f1p-86, 0x1.08fbc76dd1df0p-93);
}
// A function where it is `small`, and beyond that without the exponential that it grows or falls
// by.
struct Envelope {
  bool small;
  double value;
};
// For a >= 0, to the precision of T.
template <class T>
static inline Envelope i0_envelope(double a) {
  bool small = a <= 8.0;
  double large = chebyshev_sum<T, kI0Large>(16.0 / a - 1.0) / sqrt(a);
  return {small, small ? i0_curve(0.25 * a * a) : large};
}
template <class T>
static inline Envelope i1_envelope(double a) {
  bool small = a <= 8.0;
  double large = chebyshev_sum<T, kI1Large>(16.0 / a - 1.0) / sqrt(a);
  return {small, small ? a * i1_curve(0.25 * a * a) : large};
}
// exp(x) and log(x), a positive normal number, to the precision of T.
template <class T>
static inline double exp_for(double x) {
  if constexpr (sizeof(T) == sizeof(double)) return exp(x);
  auto [s, p] = exp_for_float(limit(x, float_exponents.low, float_exponents.high));
  return mad(s, p, s);
}
template <class T>
static inline double log_for(double x) {
  if constexpr (sizeof(T) == sizeof(float)) return kLn2 * log2_for_float(x);
  return log(x);
}
// Of a function that grows as exp(a): itself, whose exponential overflows before it does; and
// scaled.
template <class T>
static inline double grown(Envelope i, double a) {
  if constexpr (sizeof(T) == sizeof(float)) return i.small ? i.value : i.value * exp_for<T>(a);
  auto [r, tail, power] = split_exp(a > 800.0 ? 800.0 : a);
  double large = times_power(i.value * exp_reduced(r, tail), power);
  return i.small ? i.value : a < kInf<double> ? large : a;
}
template <class T>
static inline double scaled(Envelope i, double a) {
  return i.small ? i.value * exp_for<T>(-a) : i.value;
}
template <class T>
static inline T i0(T x) {
  double a = abs(x);
  return T(grown<T>(i0_envelope<T>(a), a));
}
template <class T>
static inline T i0e(T x) {
  double a = abs(x);
  return T(scaled<T>(i0_envelope<T>(a), a));
}
template <class T>
static inline T i1(T x) {
  double a = abs(x);
  return T(flip_sign(grown<T>(i1_envelope<T>(a), a), double(x)));
}
template <class T>
static inline T i1e(T x) {
  double a = abs(x);
  return T(flip_sign(scaled<T>(i1_envelope<T>(a), a), double(x)));
}

// For x <= 2 by the logarithm and I_n.
template <class T>
static inline Envelope k0_envelope(double x) {
  bool small = x <= 2.0;
  double z = 0.25 * x * x;
  double sum = chebyshev_sum<T, kK0Large, kK0Small>(small ? z + z - 1.0 : 4.0 / x - 1.0, small);
  return {small, small ? mad(-log_for<T>(0.5 * x), i0_curve(z), sum) : sum / sqrt(x)};
}
template <class T>
static inline Envelope k1_envelope(double x) {
  bool small = x <= 2.0;
  double z = 0.25 * x * x;
  double sum = chebyshev_sum<T, kK1Large, kK1Small>(small ? z + z - 1.0 : 4.0 / x - 1.0, small);
  return {small, small ? mad(log_for<T>(0.5 * x), x * i1_curve(z), sum / x) : sum / sqrt(x)};
}
// The value at x > 0, and at the edges.
static inline double above_zero(double x, double y) {
  double edge = x == 0.0 ? kInf<double> : kNan<double>;
  return x > 0.0 ? y : edge;
}
template <class T>
static inline T fallen(Envelope k, double x) {
  return T(above_zero(x, k.small ? k.value : k.value * exp_for<T>(-x)));
}
template <class T>
static inline T scaled_up(Envelope k, double x) {
  return T(above_zero(x, k.small ? k.value * exp_for<T>(x) : k.value));
}
template <class T>
static inline T modified_bessel_k0(T x) {
  return fallen<T>(k0_envelope<T>(x), x);
}
template <class T>
static inline T modified_bessel_k1(T x) {
  return fallen<T>(k1_envelope<T>(x), x);
}
template <class T>
static inline T scaled_modified_bessel_k0(T x) {
  return scaled_up<T>(k0_envelope<T>(x), x);
}
template <class T>
static inline T scaled_modified_bessel_k1(T x) {
  return scaled_up<T>(k1_envelope<T>(x), x);
}

// J_n and Y_n for n = 0, 1 and x >= 0, to the precision of T: near 0, and from kBesselNear on.
template <class T>
inline constexpr double kBesselNear = sizeof(T) == sizeof(float) ? 8.0 : 5.0;
struct Envelopes {
  double p, q;
};
template <class T, int n>
static inline Envelopes bessel_envelopes(double x) {
  double t = 2.0 * kBesselNear<T> * kBesselNear<T> / (x * x) - 1.0;
  if constexpr (sizeof(T) == sizeof(double))
    return n ? Envelopes{bessel_p1(t), bessel_q1(t)} : Envelopes{bessel_p0(t), bessel_q0(t)};
  if (n) return {chebyshev_sum<T, kBesselP1>(t), chebyshev_sum<T, kBesselQ1>(t)};
  return {chebyshev_sum<T, kBesselP0>(t), chebyshev_sum<T, kBesselQ0>(t)};
}
template <class T, int n>
static inline double bessel_wave(double x, bool second) {
  constexpr bool kShort = sizeof(T) == sizeof(float);
  auto [p, q] = bessel_envelopes<T, n>(x);
  // Of sqrt(2) exp(i (x - pi/4 - n pi/2)), by the sum formulas.
  double s = kShort ? sin_in_float_range(x) : sin_in_range(x);
  double c = kShort ? cos_in_float_range(x) : cos_in_range(x), plus = c + s, minus = s - c;
  double real = n ? minus : plus, imaginary = n ? -plus : minus;
  double wave = second ? mad(p, imaginary, q / x * real) : mad(p, real, -q / x * imaginary);
  return x < kInf<double> ? wave / sqrt(x) : 0.0;
}
// J_0(x) and J_1(x) / x in z = x^2, for z <= 2.
static inline double j0_series(double z) {
  return horner(z, 0x1.0000000000000p+0, -0x1.0000000000000p-2, 0x1.0000000000000p-6,
                -0x1.c71c71c71c71cp-12, 0x1.c71c71c71c71cp-18, -0x1.23456789abcdfp-24,
                0x1.02e85c0898b71p-31, -0x1.522a43f65486ap-39, 0x1.522a43f65486ap-47,
                -0x1.0b313289be0b9p-55);
}
static inline double j1_series(double z) {
  return horner(z, 0x1.0000000000000p-1, -0x1.0000000000000p-4, 0x1.5555555555555p-9,
                -0x1.c71c71c71c71cp-15, 0x1.6c16c16c16c17p-21, -0x1.845c8a0ce5129p-28,
                0x1.27e4fb7789f5cp-35, -0x1.522a43f65486ap-43, 0x1.2c9758daf5cd0p-51,
                -0x1.ab81ea75fcdf4p-60);
}
static inline double less_zeros(double x, const double (&zeros)[4]) {
  return ((x - zeros[0]) - zeros[1]) * (x + zeros[0]) *
         (((x - zeros[2]) - zeros[3]) * (x + zeros[2]));
}
template <class T, int n>
static inline double bessel_near(double x) {
  if constexpr (sizeof(T) == sizeof(double)) {
    double z = x * x, t = mad(z, 2.0 / 25, -1.0);
    double first = n ? j1_series(z) : j0_series(z);
    double rest = n ? less_zeros(x, kJ1Zeros) * j1_rest(t) : less_zeros(x, kJ0Zeros) * j0_rest(t);
    double y = z < 2.0 ? first : rest;
    return n ? x * y : y;
  }
  double t = mad(x * x, 1.0 / 32, -1.0);
  return n ? x * chebyshev_sum<T, kJ1Small>(t) : chebyshev_sum<T, kJ0Small>(t);
}
template <class T, int n>
static inline double bessel_second_near(double x) {
  constexpr double kTwoOverPi = 0.636619772367581343;
  double t = mad(x * x, 1.0 / 32, -1.0), log_part = kTwoOverPi * log_for<T>(x);
  double sum =
      n ? x * chebyshev_sum<T, kY1Small>(t) - kTwoOverPi / x : chebyshev_sum<T, kY0Small>(t);
  return mad(log_part, bessel_near<T, n>(x), sum);
}
// `Near` where no number is beyond kBesselNear.
template <class T, int n, bool Near>
static inline T bessel_j(T given) {
  double x = abs(double(given)), near = bessel_near<T, n>(x), y = near;
  if constexpr (!Near) y = x <= kBesselNear<T> ? near : x == x ? bessel_wave<T, n>(x, false) : x;
  return T(n ? flip_sign(y, double(given)) : y);
}
template <class T, int n, bool Near>
static inline T bessel_y(T given) {
  double x = given, near = bessel_second_near<T, n>(x), y = near;
  if constexpr (!Near) y = x <= kBesselNear<T> ? near : bessel_wave<T, n>(x, true);
  double edge = x == 0.0 ? -kInf<double> : kNan<double>;
  return T(x > 0.0 ? y : edge);
}
template <class T, class Near, class Far, class Full>
static inline void map_bessel(const T* in, T* out, long n, Near near, Far far, Full full) {
  bool all_near = true;
  for (long i = 0; i < n; ++i) all_near &= abs(in[i]) <= T(kBesselNear<T>);
  if (!all_near) return map_angles(in, out, n, far, full);
#pragma GCC ivdep
  for (long i = 0; i < n; ++i) out[i] = near(in[i]);
}
// Of huge arguments the C library's.
static inline double huge_y0(double x) { return x < 0.0 ? kNan<double> : ::y0(x); }
static inline double huge_y1(double x) { return x < 0.0 ? kNan<double> : ::y1(x); }
#define RL_BESSEL(name, formula, order, full)                                          \
  template <class T>                                                                   \
  static inline T name(T x) {                                                          \
    return is_huge_angle(x) ? T(full(double(x))) : formula<T, order, false>(x);        \
  }                                                                                    \
  template <class T>                                                                   \
  [[gnu::flatten]] static inline void name##_block(const T* in, T* out, long n) {      \
    map_bessel(                                                                        \
        in, out, n, [](T x) { return formula<T, order, true>(x); },                    \
        [](T x) { return formula<T, order, false>(x); }, [](T x) { return name(x); }); \
  }
RL_BESSEL(bessel_j0, bessel_j, 0, ::j0)
RL_BESSEL(bessel_j1, bessel_j, 1, ::j1)
RL_BESSEL(bessel_y0, bessel_y, 0, huge_y0)
RL_BESSEL(bessel_y1, bessel_y, 1, huge_y1)
#undef RL_BESSEL

static inline double airy_ai(double x) {
  constexpr double kRootPi = 1.77245385090551602730, kFirst = 3.46410161513775458705;  // zeta(3)
  if (is_nan(x)) return x;
  if (x >= -3.0 && x <= 1.0) return chebyshev_sum<double, kAiryMiddle>(0.5 * (x + 1.0));
  double a = abs(x), root = sqrt(a), zeta = a * root * (2.0 / 3.0);
  if (a == kInf<double>) return x > 0.0 ? 0.0 : kNan<double>;
  if (x > 0.0) {
    double sum = chebyshev_sum<double, kAiryRight>(4.0 / 3.0 / zeta - 1.0);
    return 0.5 * sum * exp(-zeta) / (kRootPi * sqrt(root));
  }
  double ratio = kFirst / zeta, t = 2.0 * ratio * ratio - 1.0;
  double p = chebyshev_sum<double, kAiryP>(t), q = chebyshev_sum<double, kAiryQ>(t) / zeta;
  double s = sin(zeta), c = cos(zeta);  // of zeta + pi/4 below, by the sum formulas
  constexpr double kRootHalf = 0.70710678118654752440;
  return kRootHalf * ((s + c) * p - (c - s) * q) / (kRootPi * sqrt(root));
}

static inline double spherical_bessel_j0(double x) {
  if (abs(x) == kInf<double>) return 0.0;
  if (abs(x) < 0.5) {
    double z = x * x;
    return horner(z, 1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800,
                  1.0 / 6227020800);
  }
  return sin(x) / x;
}

#define RL_THROUGH_DOUBLE(name) \
  static inline float name(float x) { return float(name(double(x))); }
RL_THROUGH_DOUBLE(airy_ai)
RL_THROUGH_DOUBLE(spherical_bessel_j0)
#undef RL_THROUGH_DOUBLE

}  // namespace rl::math
